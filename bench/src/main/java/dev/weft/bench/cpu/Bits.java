package dev.weft.bench.cpu;

import dev.weft.bench.models.BenchModels;
import dev.weft.bench.models.ModelShape;
import dev.weft.functions.Quantization;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.weights.GgufFile;
import java.nio.file.Path;

/// Formats of about equal size that are held against each other: a GGUF file, which every engine
/// reads, and what Weft makes of the same weights in bfloat16.
enum Bits {
  EIGHT("8 bits (w8a8, Q8_0)", DType.Q8_0, Quantization.W8A8, 8),
  FOUR("4 bits (w4a8, Q4_0)", DType.Q4_0, Quantization.W4A8, 4.25),
  SIXTEEN("16 bits (bf16, F16)", DType.F16, Quantization.NONE, 16);

  private final String label;
  private final DType fileType;
  private final Quantization quantization;
  private final double ownBits;

  /// @param ownBits of a weight as Weft's own format holds it
  Bits(String label, DType fileType, Quantization quantization, double ownBits) {
    this.label = label;
    this.fileType = fileType;
    this.quantization = quantization;
    this.ownBits = ownBits;
  }

  String label(ModelShape shape) {
    return shape.name() + ", " + label;
  }

  /// The key of findings.
  String key() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }

  Path file(BenchModels models, ModelShape shape) {
    return models.gguf(shape, fileType);
  }

  Path bf16(BenchModels models, ModelShape shape) {
    return models.safetensors(shape, DType.BF16);
  }

  Quantization quantization() {
    return quantization;
  }

  /// Bytes of weights that a decode step reads in Weft's own format.
  double ownBytes(ModelShape shape) {
    return shape.matrixElements() * ownBits / 8;
  }

  /// Bytes of weights that a decode step reads in the GGUF file.
  double fileBytes(BenchModels models, ModelShape shape) {
    try (GgufFile file = GgufFile.open(file(models, shape))) {
      return file.byteSize();
    }
  }
}
