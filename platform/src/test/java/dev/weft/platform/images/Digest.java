package dev.weft.platform.images;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/// SHA-256 sums, as images and bills of materials write them.
final class Digest {
  private Digest() {}

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  static String hex(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest());
  }

  static String of(byte[] content) {
    return HexFormat.of().formatHex(sha256().digest(content));
  }

  static String of(Path file) throws IOException {
    try (InputStream in = new DigestInputStream(Files.newInputStream(file), sha256())) {
      in.transferTo(OutputStream.nullOutputStream());
      return hex(((DigestInputStream) in).getMessageDigest());
    }
  }

  /// Passes on what is written, and sums it.
  static DigestOutputStream summing(OutputStream out) {
    return new DigestOutputStream(out, sha256());
  }
}
