package dev.weft.runtime.model;

/// The largest sizes that a model may claim, far above any that fits a device: they keep products
/// of two within 63 bits and refuse nonsense before it costs memory.
final class Bounds {
  static final int VOCABULARY = 1 << 22;
  static final int CONTEXT = 1 << 26;
  static final int LAYERS = 1 << 10;
  static final int WIDTH = 1 << 20;
  static final int HEADS = 1 << 12;
  static final int HEAD_SIZE = 1 << 12;
  static final double ROPE_THETA = 1e15;
  static final double SCALING_FACTOR = 1e6;

  private Bounds() {}
}
