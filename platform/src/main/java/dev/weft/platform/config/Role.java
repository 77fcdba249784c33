package dev.weft.platform.config;

/// Which part of the platform a process is.
public enum Role {
  /// Gateway and controller: what one machine needs.
  ALL,
  /// The front door alone. It opens no database and starts no runtime: what it knows comes from its
  /// controller.
  GATEWAY,
  /// State, management and the control of runtimes, without the front door.
  CONTROLLER;

  /// Whether callers of functions are answered.
  public boolean gateway() {
    return this != CONTROLLER;
  }

  /// Whether functions, keys and runtimes are this process's own.
  public boolean controller() {
    return this != GATEWAY;
  }

  /// In a sentence.
  public String said() {
    return switch (this) {
      case ALL -> "gateway and controller";
      case GATEWAY -> "a gateway: functions are managed at its controller";
      case CONTROLLER -> "a controller: functions are called at a gateway";
    };
  }
}
