package dev.weft.runtime.server;

import java.util.concurrent.ThreadLocalRandom;

/// Ids of answers: unique enough to find one in a log, not secrets.
final class RandomIds {
  private static final String ALPHABET =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  private static final int LENGTH = 24;

  private RandomIds() {}

  static String next() {
    StringBuilder id = new StringBuilder(LENGTH);
    for (int i = 0; i < LENGTH; i++) {
      id.append(ALPHABET.charAt(ThreadLocalRandom.current().nextInt(ALPHABET.length())));
    }
    return id.toString();
  }
}
