package dev.weft.runtime.server;

import java.time.Duration;

/// How the server listens, and its bounds.
///
/// @param port 0 takes any free one
/// @param secret the bearer token of every route but `/health`
/// @param maxBodyBytes a larger body is answered 413
/// @param bodyTimeout until a request's body must have come
/// @param keepAliveInterval between comments on a stream that has no token yet
/// @param statusInterval the longest silence of the status stream
/// @param stallLimit the longest time between two turns of the engine's loop that counts as healthy
/// @param maxPendingBytes text of one response that waits for a slow client; more ends it
/// @param workers threads that parse and tokenise
/// @param maxQueuedRequests requests that wait for a worker; one more is answered 429
public record ServerSettings(
    String host,
    int port,
    String secret,
    int maxBodyBytes,
    Duration bodyTimeout,
    Duration keepAliveInterval,
    Duration statusInterval,
    Duration stallLimit,
    int maxPendingBytes,
    int workers,
    int maxQueuedRequests) {
  public ServerSettings {
    if (secret.length() < 16) {
      throw new IllegalArgumentException("the secret is shorter than 16 characters");
    }
  }

  public static ServerSettings of(String host, int port, String secret) {
    return new ServerSettings(
        host,
        port,
        secret,
        8 << 20,
        Duration.ofSeconds(30),
        Duration.ofSeconds(15),
        Duration.ofSeconds(5),
        Duration.ofSeconds(4),
        1 << 20,
        Math.clamp(Runtime.getRuntime().availableProcessors(), 2, 8),
        4_096);
  }
}
