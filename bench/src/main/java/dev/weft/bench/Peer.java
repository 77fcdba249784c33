package dev.weft.bench;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Another engine, as a directory with `llama-bench` and `llama-server`.
///
/// @param repacks whether it takes `-rtr`, ik_llama.cpp's repacking at load
/// @param remark what the report must say of this build; empty when nothing
public record Peer(String name, Path binaries, boolean repacks, String version, String remark) {
  /// A peer and the environment variable that names its directory; `<variable less _BIN>_REMARK`
  /// holds its remark.
  private record Known(String name, String variable, boolean repacks) {}

  private static final List<Known> KNOWN =
      List.of(
          new Known("llama.cpp", "LLAMA_CPP_BIN", false),
          new Known("ik_llama.cpp", "IK_LLAMA_CPP_BIN", true));

  /// Those that are there, and what to say of those that are not.
  public record Found(List<Peer> peers, List<String> absent) {}

  public static Found find(Map<String, String> environment)
      throws IOException, InterruptedException {
    List<Peer> peers = new ArrayList<>();
    List<String> absent = new ArrayList<>();
    for (Known known : KNOWN) {
      Optional<Path> directory =
          Optional.ofNullable(environment.get(known.variable())).map(Path::of);
      if (directory.isEmpty()) {
        absent.add("%s was not measured: %s is not set".formatted(known.name(), known.variable()));
        continue;
      }
      for (String binary : List.of("llama-bench", "llama-server")) {
        if (!Files.isExecutable(directory.get().resolve(binary))) {
          throw new IllegalArgumentException(
              "%s has no %s: %s".formatted(known.variable(), binary, directory.get()));
        }
      }
      String remark = environment.getOrDefault(known.variable().replace("_BIN", "_REMARK"), "");
      peers.add(
          new Peer(
              known.name(), directory.get(), known.repacks(), version(directory.get()), remark));
    }
    return new Found(List.copyOf(peers), List.copyOf(absent));
  }

  public Path binary(String program) {
    return binaries.resolve(program);
  }

  /// The line `version: ...` that its server prints.
  private static String version(Path directory) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(directory.resolve("llama-server").toString(), "--version")
            .redirectErrorStream(true)
            .start();
    process.getOutputStream().close();
    try (InputStream output = process.getInputStream()) {
      String text = new String(output.readAllBytes(), StandardCharsets.UTF_8);
      process.waitFor();
      return text.lines()
          .filter(line -> line.startsWith("version:"))
          .map(line -> line.substring("version:".length()).strip())
          .findFirst()
          .orElse("unknown");
    }
  }
}
