package dev.weft.functions;

/// The kinds of device that a function may be placed on.
public enum DeviceClass {
  CPU,
  GPU
}
