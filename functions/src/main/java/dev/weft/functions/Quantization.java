package dev.weft.functions;

/// How a model's weights are held on a device. A device refuses, with the reason, what it cannot
/// do.
public enum Quantization {
  /// As the file has them.
  NONE,
  /// The fastest that the device offers within the fidelity bounds; a file's own quantisation is
  /// kept.
  AUTO,
  /// 8-bit weights per output channel, 8-bit activations.
  W8A8,
  /// 4-bit weights, 8-bit activations.
  W4A8,
  /// 8-bit floating point weights and activations.
  FP8
}
