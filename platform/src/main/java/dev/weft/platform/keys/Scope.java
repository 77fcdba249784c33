package dev.weft.platform.keys;

/// What a key may be used for.
public enum Scope {
  /// Calling functions and listing the models that may be called.
  INVOKE,
  /// Everything else: deploying, keys, devices, metrics. It does not include [#INVOKE].
  ADMIN,
  /// Being a gateway: following what the controller knows, the runtimes' secrets included, and
  /// telling it of requests.
  GATEWAY
}
