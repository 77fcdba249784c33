package dev.weft.bench.cpu;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Whether this is a machine of the kind that has targets of its own: 16 cores and more with AMX.
final class Amx {
  private static final int MANY = 16;

  private Amx() {}

  static boolean manyCores(Setting setting) {
    if (setting.threads() < MANY) {
      return false;
    }
    try {
      return Files.readString(Path.of("/proc/cpuinfo")).contains(" amx_int8");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
