package dev.weft.bench.cpu;

import dev.weft.bench.models.BenchModels;
import dev.weft.bench.models.GgufFormat;
import dev.weft.bench.models.ModelShape;
import dev.weft.functions.Quantization;
import dev.weft.runtime.tensor.DType;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;

/// Formats of about equal size that are held against each other: a GGUF file, which every engine
/// reads, and what Weft makes of the same weights in bfloat16.
enum Bits {
  EIGHT("8 bits (w8a8, Q8_0)", GgufFormat.Q8_0, Quantization.W8A8, 8),
  FOUR("4 bits (w4a8, Q4_0)", GgufFormat.Q4_0, Quantization.W4A8, 4.25),
  /// A mix, which Weft makes nothing of its own like.
  FOUR_MIXED("4 to 6 bits (Q4_K_M)", GgufFormat.Q4_K_M),
  SIXTEEN("16 bits (bf16, F16)", GgufFormat.F16, Quantization.NONE, 16);

  private final String label;
  private final GgufFormat format;
  private final Optional<Quantization> own;
  private final double ownBits;

  Bits(String label, GgufFormat format) {
    this.label = label;
    this.format = format;
    this.own = Optional.empty();
    this.ownBits = Double.NaN;
  }

  /// @param ownBits of a weight as Weft's own format holds it
  Bits(String label, GgufFormat format, Quantization quantization, double ownBits) {
    this.label = label;
    this.format = format;
    this.own = Optional.of(quantization);
    this.ownBits = ownBits;
  }

  String label(ModelShape shape) {
    return shape.name() + ", " + label;
  }

  /// The key of findings.
  String key() {
    return name().toLowerCase(Locale.ROOT);
  }

  Path file(BenchModels models, ModelShape shape) {
    return models.gguf(shape, format);
  }

  Path bf16(BenchModels models, ModelShape shape) {
    return models.safetensors(shape, DType.BF16);
  }

  /// Whether Weft has a format of its own of this size.
  boolean hasOwn() {
    return own.isPresent();
  }

  Quantization quantization() {
    return own.orElseThrow();
  }

  /// Bytes of weights that a decode step reads in Weft's own format.
  double ownBytes(ModelShape shape) {
    return shape.matrixElements() * ownBits / 8;
  }

  /// Bytes of weights that a decode step reads in the GGUF file.
  double fileBytes(ModelShape shape) {
    return format.matrixBytes(shape);
  }
}
