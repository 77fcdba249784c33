package dev.weft.platform.keys;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.Arrays;

/// The secret of a key: `weft_` and 43 characters of base 62, which hold 256 random bits.
public final class Secret {
  public static final String PREFIX = "weft_";
  private static final String DIGITS =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

  /// 62^43 > 2^256: every character is drawn on its own, so none of the 256 bits is lost.
  private static final int LENGTH = 43;

  private static final SecureRandom RANDOM = new SecureRandom();

  private Secret() {}

  /// A new secret.
  public static String generate() {
    StringBuilder secret = new StringBuilder(PREFIX);
    for (int i = 0; i < LENGTH; i++) {
      secret.append(DIGITS.charAt(RANDOM.nextInt(DIGITS.length())));
    }
    return secret.toString();
  }

  /// The SHA-256 of a secret. It needs no salt and no stretching: a secret has 256 bits of its own.
  public static Hash hash(String secret) {
    try {
      return new Hash(
          MessageDigest.getInstance("SHA-256").digest(secret.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  /// A SHA-256, compared in constant time.
  public static final class Hash {
    private final byte[] bytes;

    public Hash(byte[] bytes) {
      this.bytes = bytes.clone();
    }

    public byte[] bytes() {
      return bytes.clone();
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Hash hash && MessageDigest.isEqual(bytes, hash.bytes);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(bytes);
    }
  }
}
