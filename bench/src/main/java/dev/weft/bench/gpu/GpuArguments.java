package dev.weft.bench.gpu;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The command line: `[ROUNDS] [--only PART,...] [--results DIR]`, or `--render DIR`, which makes
/// the report of a directory anew. See `bench/README.md`.
record GpuArguments(
    int rounds, List<GpuPart> parts, Optional<Path> results, Optional<Path> render) {
  static GpuArguments parse(String[] words) {
    int rounds = 1;
    List<GpuPart> parts = GpuBench.PARTS;
    Optional<Path> results = Optional.empty();
    Optional<Path> render = Optional.empty();
    for (int i = 0; i < words.length; i++) {
      switch (words[i]) {
        case "--only" -> parts = chosen(value(words, ++i));
        case "--results" -> results = Optional.of(Path.of(value(words, ++i)));
        case "--render" -> render = Optional.of(Path.of(value(words, ++i)));
        default -> rounds = rounds(words[i]);
      }
    }
    return new GpuArguments(rounds, parts, results, render);
  }

  private static int rounds(String word) {
    if (!word.matches("[1-9][0-9]?")) {
      throw new IllegalArgumentException("'%s' is no number of rounds".formatted(word));
    }
    return Integer.parseInt(word);
  }

  private static String value(String[] words, int index) {
    if (index >= words.length) {
      throw new IllegalArgumentException(words[index - 1] + " needs a value");
    }
    return words[index];
  }

  private static List<GpuPart> chosen(String words) {
    List<GpuPart> chosen = new ArrayList<>();
    for (String word : words.split(",", -1)) {
      chosen.add(
          GpuBench.PARTS.stream()
              .filter(part -> part.name().equals(word))
              .findFirst()
              .orElseThrow(() ->
                  new IllegalArgumentException(
                      "no '%s'; there are %s"
                          .formatted(word, GpuBench.PARTS.stream().map(GpuPart::name).toList()))));
    }
    return chosen;
  }
}
