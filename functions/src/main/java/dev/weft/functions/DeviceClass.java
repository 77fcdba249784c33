package dev.weft.functions;

/// The kinds of device that a function may be placed on.
public enum DeviceClass {
  /// A processor socket.
  CPU,
  /// A graphics card, or a group of them.
  GPU
}
