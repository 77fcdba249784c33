package dev.weft.bench.models;

import dev.weft.bench.models.ModelShape.TensorShape;
import dev.weft.runtime.tensor.DType;
import java.util.Locale;

/// Which type each tensor of a GGUF file has: vectors float32, matrices as llama.cpp's converter
/// and quantiser choose. In files of 4 bits the embedding, which is the output too, has more bits,
/// and so have the matrices of a mix ("K_M") that errors show most in.
public enum GgufFormat {
  F32(DType.F32, DType.F32),
  F16(DType.F16, DType.F16),
  Q8_0(DType.Q8_0, DType.Q8_0),
  Q4_0(DType.Q4_0, DType.Q6_K),
  Q4_K_M(DType.Q4_K, DType.Q6_K);

  private final DType matrices;
  private final DType embedding;

  GgufFormat(DType matrices, DType embedding) {
    this.matrices = matrices;
    this.embedding = embedding;
  }

  /// As files are named.
  String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  DType type(ModelShape shape, TensorShape tensor) {
    return switch (tensor.role()) {
      case SCALE, OUTPUT_SCALE, BIAS -> DType.F32;
      case EMBEDDING -> fitting(embedding, tensor);
      case ROTATED, MATRIX ->
          fitting(this == Q4_K_M && moreBits(shape, tensor) ? DType.Q6_K : matrices, tensor);
    };
  }

  /// Bytes of the matrices, each of which a decode step reads once.
  public long matrixBytes(ModelShape shape) {
    return shape.tensors().stream()
        .filter(tensor -> tensor.rows() > 1)
        .mapToLong(tensor -> type(shape, tensor).byteSize(tensor.elements()))
        .sum();
  }

  /// Values and the way out of a layer in the first and the last eighth of all layers, and in every
  /// third between.
  private static boolean moreBits(ModelShape shape, TensorShape tensor) {
    String[] name = tensor.name().split("\\.", 4);
    if (!name[2].equals("attn_v") && !name[2].equals("ffn_down")) {
      return false;
    }
    int layer = Integer.parseInt(name[1]);
    int eighth = shape.layers() / 8;
    return layer < eighth || layer >= 7 * shape.layers() / 8 || (layer - eighth) % 3 == 2;
  }

  /// What stands in for a type whose blocks do not fill a row.
  private static DType fitting(DType type, TensorShape tensor) {
    if (tensor.columns() % type.blockElements() == 0) {
      return type;
    }
    return switch (type) {
      case Q4_K -> DType.Q5_0;
      case Q6_K -> DType.Q8_0;
      default ->
          throw new IllegalArgumentException(
              "%s has rows of %d".formatted(tensor.name(), tensor.columns()));
    };
  }
}
