package org.tensorflow.lite;

/** Stands in for Android's class of that name: what README's Kotlin asks of a tensor. */
public final class Tensor {
    private final int bytes;
    private final DataType type;

    Tensor(int bytes, String type) {
        this.bytes = bytes;
        this.type = DataType.valueOf(type.toUpperCase());
    }

    public int numBytes() {
        return bytes;
    }

    public DataType dataType() {
        return type;
    }
}
