package org.tensorflow.lite;

/** Stands in for Android's enumeration of that name: the types that our files have. */
public enum DataType { FLOAT32, INT32, INT8, INT16 }
