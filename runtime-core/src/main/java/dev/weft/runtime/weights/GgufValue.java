package dev.weft.runtime.weights;

import java.lang.foreign.MemorySegment;

/// A metadata value of a GGUF file. Strings and arrays are views of the file that have been walked
/// and bounded but not decoded: a file's claims cost no memory until someone asks for the value.
sealed interface GgufValue {
  /// For messages: `an integer`, `an array of strings`.
  String description();

  /// Any of the integer types.
  record Whole(long value) implements GgufValue {
    @Override
    public String description() {
      return "an integer";
    }
  }

  /// A float32 or float64.
  record Real(double value) implements GgufValue {
    @Override
    public String description() {
      return "a number";
    }
  }

  record Bool(boolean value) implements GgufValue {
    @Override
    public String description() {
      return "a boolean";
    }
  }

  /// The string's UTF-8 bytes.
  record Text(MemorySegment utf8) implements GgufValue {
    @Override
    public String description() {
      return "a string";
    }
  }

  /// The bytes of `count` elements, as they follow one another in the file.
  record Array(GgufType elementType, int count, MemorySegment elements) implements GgufValue {
    @Override
    public String description() {
      return "an array of " + elementType;
    }
  }
}
