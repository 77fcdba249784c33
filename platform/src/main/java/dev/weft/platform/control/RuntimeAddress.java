package dev.weft.platform.control;

/// Where a runtime listens, and the secret that it answers to.
public record RuntimeAddress(String host, int port, String secret) {
  /// The value of the `Authorization` header.
  public String authorization() {
    return "Bearer " + secret;
  }

  /// Without the secret, since this ends in logs.
  @Override
  public String toString() {
    return host + ":" + port;
  }
}
