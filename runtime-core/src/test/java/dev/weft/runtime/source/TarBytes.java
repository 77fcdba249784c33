package dev.weft.runtime.source;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.zip.GZIPOutputStream;

/// Writes archives as `tar` does, and such as it would not.
final class TarBytes {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  TarBytes file(String name, byte[] bytes) throws IOException {
    return entry('0', name, "", bytes);
  }

  TarBytes directory(String name) throws IOException {
    return entry('5', name, "", new byte[0]);
  }

  TarBytes link(String name, String to) throws IOException {
    return entry('2', name, to, new byte[0]);
  }

  TarBytes entry(char type, String name, String linked, byte[] bytes) throws IOException {
    byte[] header = new byte[512];
    put(header, 0, name);
    put(header, 100, "0000644\0");
    put(header, 124, "%011o ".formatted(bytes.length));
    put(header, 148, "        ");
    header[156] = (byte) type;
    put(header, 157, linked);
    put(header, 257, "ustar\00000");
    int sum = 0;
    for (byte each : header) {
      sum += each & 0xff;
    }
    put(header, 148, "%06o\0 ".formatted(sum));
    out.write(header);
    out.write(bytes);
    out.write(new byte[(512 - bytes.length % 512) % 512]);
    return this;
  }

  private static void put(byte[] header, int at, String text) {
    byte[] bytes = text.getBytes(UTF_8);
    System.arraycopy(bytes, 0, header, at, bytes.length);
  }

  byte[] bytes() throws IOException {
    out.write(new byte[1024]);
    return out.toByteArray();
  }

  byte[] gzip() throws IOException {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(packed)) {
      gzip.write(bytes());
    }
    return packed.toByteArray();
  }
}
