package dev.weft.runtime.weights;

import dev.weft.runtime.tensor.DType;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Element types of safetensors files, named as in their headers.
enum SafetensorsType {
  BOOL(8, null),
  F4(4, null),
  F6_E2M3(6, null),
  F6_E3M2(6, null),
  U8(8, null),
  I8(8, null),
  F8_E5M2(8, null),
  F8_E4M3(8, null),
  F8_E8M0(8, null),
  F8_E4M3FNUZ(8, null),
  F8_E5M2FNUZ(8, null),
  I16(16, null),
  U16(16, null),
  F16(16, DType.F16),
  BF16(16, DType.BF16),
  I32(32, null),
  U32(32, null),
  F32(32, DType.F32),
  C64(64, null),
  F64(64, null),
  I64(64, null),
  U64(64, null);

  private final int bits;
  private final @Nullable DType tensorType;

  SafetensorsType(int bits, @Nullable DType tensorType) {
    this.bits = bits;
    this.tensorType = tensorType;
  }

  int bits() {
    return bits;
  }

  /// The type that models compute with, for those that do.
  Optional<DType> tensorType() {
    return Optional.ofNullable(tensorType);
  }

  static Optional<SafetensorsType> of(String name) {
    for (SafetensorsType type : values()) {
      if (type.name().equals(name)) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }
}
