package dev.weft.runtime.cpu;

import java.util.Arrays;
import java.util.Optional;

/// Instruction sets that the kernels are compiled for.
public enum Isa {
  AVX2(1, "avx2"),
  AVX512_VNNI(2, "avx512-vnni"),
  AVX512_BF16(3, "avx512-bf16"),
  AMX(4, "amx");

  private final int code;
  private final String label;

  Isa(int code, String label) {
    this.code = code;
    this.label = label;
  }

  /// For people and settings: `avx512-vnni`.
  public String label() {
    return label;
  }

  /// `enum weft_isa`
  int code() {
    return code;
  }

  /// Rows that meet weights together and cost as much as fewer.
  int rowsAtOnce() {
    return this == AMX ? 16 : 1;
  }

  /// Whether bf16 weights multiply with activations rounded to bf16, in the processor's own order.
  boolean multipliesBf16() {
    return this == AVX512_BF16 || this == AMX;
  }

  /// The instruction set of a code; none of 0.
  static Optional<Isa> ofCode(int code) {
    return Arrays.stream(values()).filter(isa -> isa.code == code).findFirst();
  }

  static Isa ofLabel(String label) {
    for (Isa isa : values()) {
      if (isa.label.equals(label)) {
        return isa;
      }
    }
    throw new IllegalArgumentException(
        "'%s' is not one of avx2, avx512-vnni, avx512-bf16, amx".formatted(label));
  }
}
