package org.tensorflow.lite;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Stands in for Android's interpreter of that name: the methods that README's Kotlin calls, as
 * their documentation has them, answered by LiteRT for Python (step_worker.py) through a pipe.
 */
public final class Interpreter {
    public static final class Options {
        public Options setNumThreads(int count) {
            return this;
        }
    }

    private final Map<String, Tensor> inputs = new LinkedHashMap<>();
    private final Map<String, Tensor> outputs = new LinkedHashMap<>();
    private final BufferedReader answers;
    private final PrintStream questions;

    public Interpreter(MappedByteBuffer model, Options options) {
        try {
            String[] command = System.getProperty("worker").split("\n");
            Process worker =
                new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
            answers = new BufferedReader(new InputStreamReader(worker.getInputStream()));
            questions = new PrintStream(worker.getOutputStream(), true);
            byte[] content = new byte[model.remaining()];
            model.duplicate().get(content);
            questions.println(hex(content));
            for (String line = answers.readLine(); !line.isEmpty(); line = answers.readLine()) {
                String[] about = line.split(" ");
                Tensor tensor = new Tensor(Integer.parseInt(about[2]), about[3]);
                (about[0].equals("input") ? inputs : outputs).put(about[1], tensor);
            }
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    public String[] getSignatureInputs(String key) {
        return of(inputs, key).keySet().toArray(new String[0]);
    }

    public String[] getSignatureOutputs(String key) {
        return of(outputs, key).keySet().toArray(new String[0]);
    }

    public Tensor getInputTensorFromSignature(String name, String key) {
        return known(of(inputs, key), name);
    }

    public Tensor getOutputTensorFromSignature(String name, String key) {
        return known(of(outputs, key), name);
    }

    /** Buffers must have the tensors' sizes; an output's is written from its position on. */
    public void runSignature(Map<String, Object> given, Map<String, Object> results, String key) {
        for (Map.Entry<String, Object> input : given.entrySet()) {
            byte[] content = bytes(input.getValue());
            if (content.length != getInputTensorFromSignature(input.getKey(), key).numBytes()) {
                throw new IllegalArgumentException("size of " + input.getKey());
            }
            questions.println(input.getKey() + " " + hex(content));
        }
        questions.println("run");
        try {
            for (int count = 0; count < outputs.size(); count++) {
                String[] answer = answers.readLine().split(" ");
                ByteBuffer result = (ByteBuffer) results.get(answer[0]);
                if (result != null) {
                    result.put(unhex(answer[1]));
                }
            }
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static Map<String, Tensor> of(Map<String, Tensor> tensors, String key) {
        if (!key.equals("step")) {
            throw new IllegalArgumentException("Invalid signature " + key);
        }
        return tensors;
    }

    private static Tensor known(Map<String, Tensor> tensors, String name) {
        if (!tensors.containsKey(name)) {
            throw new IllegalArgumentException("Input error: '" + name + "' is not a valid name");
        }
        return tensors.get(name);
    }

    private static byte[] bytes(Object value) {
        if (value instanceof int[]) {
            int[] numbers = (int[]) value;
            ByteBuffer buffer =
                ByteBuffer.allocate(4 * numbers.length).order(ByteOrder.nativeOrder());
            buffer.asIntBuffer().put(numbers);
            return buffer.array();
        }
        ByteBuffer buffer = ((ByteBuffer) value).duplicate();
        byte[] content = new byte[buffer.remaining()];
        buffer.get(content);
        return content;
    }

    private static String hex(byte[] content) {
        StringBuilder text = new StringBuilder();
        for (byte value : content) {
            text.append(String.format("%02x", value));
        }
        return text.toString();
    }

    private static byte[] unhex(String text) {
        byte[] content = new byte[text.length() / 2];
        for (int place = 0; place < content.length; place++) {
            String pair = text.substring(2 * place, 2 * place + 2);
            content[place] = (byte) Integer.parseInt(pair, 16);
        }
        return content;
    }
}
