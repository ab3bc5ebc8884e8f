package org.tensorflow.lite;

/** Stands in for Android's class of that name: what README's Kotlin asks of a tensor. */
public final class Tensor {
    private final int bytes;

    Tensor(int bytes) {
        this.bytes = bytes;
    }

    public int numBytes() {
        return bytes;
    }
}
