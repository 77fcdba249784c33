package dev.weft.runtime.source;

import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/// Hashes of files, as the places that promise them write them.
final class Hashes {
  static final String SHA_256 = "SHA-256";
  static final String GIT_SHA_1 = "git-SHA-1";

  /// No hash, but what a server calls a file's content: only to be compared.
  static final String ETAG = "ETag";

  private static final int BUFFER_BYTES = 1 << 16;

  private Hashes() {}

  /// A hash of `algorithm`; git's begins with a header that holds the file's size.
  static MessageDigest digest(String algorithm, long bytes) {
    try {
      if (algorithm.equals(GIT_SHA_1)) {
        MessageDigest digest = MessageDigest.getInstance("SHA-1");
        digest.update(("blob " + bytes + "\0").getBytes(StandardCharsets.US_ASCII));
        return digest;
      }
      return MessageDigest.getInstance(algorithm);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has " + algorithm, e);
    }
  }

  static String sha256(String text) {
    return hex(digest(SHA_256, 0).digest(text.getBytes(StandardCharsets.UTF_8)));
  }

  static String hex(byte[] hash) {
    return HexFormat.of().formatHex(hash);
  }

  /// Throws `CHECKSUM` unless the file hashes to `expected`.
  static void verify(Path file, String algorithm, String expected, Transfer transfer) {
    String actual = of(file, algorithm, transfer);
    if (!actual.equals(expected)) {
      throw new SourceException(
          Code.CHECKSUM,
          "%s hashes to %s (%s), and %s was promised"
              .formatted(file.getFileName(), actual, algorithm, expected));
    }
  }

  static String of(Path file, String algorithm, Transfer transfer) {
    try {
      MessageDigest digest = digest(algorithm, Files.size(file));
      update(digest, file, transfer);
      return hex(digest.digest());
    } catch (IOException e) {
      throw FileTree.failure("hashing " + file.getFileName(), e);
    }
  }

  /// Feeds a file's bytes to a digest.
  static void update(MessageDigest digest, Path file, Transfer transfer) throws IOException {
    try (InputStream bytes = Files.newInputStream(file)) {
      byte[] buffer = new byte[BUFFER_BYTES];
      for (int count = bytes.read(buffer); count >= 0; count = bytes.read(buffer)) {
        transfer.check();
        digest.update(buffer, 0, count);
      }
    }
  }
}
