package dev.weft.functions;

/// How a device holds the keys and values of tokens that were computed.
public enum KvCache {
  /// The device's own choice within the fidelity bounds: 16 bits.
  AUTO,
  /// 16-bit floating point.
  F16,
  /// 8 bits with a scale for each token and head: about half the memory, a little less exact.
  INT8
}
