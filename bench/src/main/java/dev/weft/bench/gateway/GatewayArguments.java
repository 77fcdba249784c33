package dev.weft.bench.gateway;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The command line: `[ROUNDS] [--only PART,...] [--seconds N] [--results DIR]`, or `--render DIR`,
/// which makes the report of a directory anew. See `bench/README.md`.
///
/// @param seconds that each load lasts
record GatewayArguments(
    int rounds,
    int seconds,
    List<GatewayPart> parts,
    Optional<Path> results,
    Optional<Path> render) {
  private static final int DEFAULT_ROUNDS = 3;
  private static final int DEFAULT_SECONDS = 10;

  static GatewayArguments parse(String[] words) {
    int rounds = DEFAULT_ROUNDS;
    int seconds = DEFAULT_SECONDS;
    List<GatewayPart> parts = GatewayBench.PARTS;
    Optional<Path> results = Optional.empty();
    Optional<Path> render = Optional.empty();
    for (int i = 0; i < words.length; i++) {
      switch (words[i]) {
        case "--only" -> parts = parts(value(words, ++i));
        case "--seconds" -> seconds = number(value(words, ++i));
        case "--results" -> results = Optional.of(Path.of(value(words, ++i)));
        case "--render" -> render = Optional.of(Path.of(value(words, ++i)));
        default -> rounds = number(words[i]);
      }
    }
    return new GatewayArguments(rounds, seconds, parts, results, render);
  }

  private static List<GatewayPart> parts(String names) {
    List<GatewayPart> parts = new ArrayList<>();
    for (String name : names.split(",", -1)) {
      parts.add(
          GatewayBench.PARTS.stream()
              .filter(part -> part.name().equals(name))
              .findFirst()
              .orElseThrow(() -> new IllegalArgumentException("no part '%s'".formatted(name))));
    }
    return parts;
  }

  private static int number(String word) {
    if (!word.matches("[1-9][0-9]{0,3}")) {
      throw new IllegalArgumentException("'%s' is no number of rounds or seconds".formatted(word));
    }
    return Integer.parseInt(word);
  }

  private static String value(String[] words, int index) {
    if (index >= words.length) {
      throw new IllegalArgumentException(words[index - 1] + " needs a value");
    }
    return words[index];
  }
}
