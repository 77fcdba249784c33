package dev.weft.bench.live;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The command line: `TRACE [ROUNDS] [--only PART,...] [--seconds N] [--pace X] [--shorter X]
/// [--cpus SET;SET] [--results DIR]`, or `--render DIR`, which makes the report of a directory
/// anew. See `bench/README.md`.
///
/// @param seconds that each replay lasts
/// @param pace by which calls come faster than they did
/// @param shorter by which prompts and answers are divided
/// @param cpus a set of processors for each device
record LiveArguments(
    Path trace,
    int rounds,
    List<String> parts,
    int seconds,
    double pace,
    double shorter,
    List<String> cpus,
    Optional<Path> results,
    Optional<Path> render) {
  private static final int ROUNDS = 3;
  private static final int SECONDS = 60;
  private static final double PACE = 1;
  private static final double SHORTER = 8;
  private static final List<String> CPUS = List.of("0", "1");

  LiveArguments {
    parts = List.copyOf(parts);
    cpus = List.copyOf(cpus);
  }

  static LiveArguments parse(String[] words) {
    List<String> plain = new ArrayList<>();
    List<String> parts = LiveBench.PARTS;
    int seconds = SECONDS;
    double pace = PACE;
    double shorter = SHORTER;
    List<String> cpus = CPUS;
    Optional<Path> results = Optional.empty();
    Optional<Path> render = Optional.empty();
    for (int i = 0; i < words.length; i++) {
      switch (words[i]) {
        case "--only" -> parts = parts(value(words, ++i));
        case "--seconds" -> seconds = (int) number(value(words, ++i), "[1-9][0-9]{0,3}");
        case "--pace" -> pace = number(value(words, ++i), "[0-9]{1,4}([.][0-9]{1,4})?");
        case "--shorter" -> shorter = number(value(words, ++i), "[0-9]{1,4}([.][0-9]{1,4})?");
        case "--cpus" -> cpus = List.of(value(words, ++i).split(";", -1));
        case "--results" -> results = Optional.of(Path.of(value(words, ++i)));
        case "--render" -> render = Optional.of(Path.of(value(words, ++i)));
        default -> plain.add(words[i]);
      }
    }
    if (render.isEmpty() && plain.isEmpty()) {
      throw new IllegalArgumentException("which trace is to be replayed?");
    }
    Path trace = Path.of(render.isPresent() ? "" : plain.getFirst());
    if (render.isEmpty() && !Files.isRegularFile(trace)) {
      throw new IllegalArgumentException("there is no trace " + trace);
    }
    int rounds = plain.size() < 2 ? ROUNDS : (int) number(plain.get(1), "[1-9][0-9]?");
    if (plain.size() > 2) {
      throw new IllegalArgumentException("'%s' is too much".formatted(plain.get(2)));
    }
    return new LiveArguments(trace, rounds, parts, seconds, pace, shorter, cpus, results, render);
  }

  private static List<String> parts(String names) {
    List<String> parts = List.of(names.split(",", -1));
    if (!LiveBench.PARTS.containsAll(parts)) {
      throw new IllegalArgumentException(
          "no part '%s'; there are %s".formatted(names, String.join(", ", LiveBench.PARTS)));
    }
    return parts;
  }

  private static double number(String word, String form) {
    if (!word.matches(form) || Double.parseDouble(word) == 0) {
      throw new IllegalArgumentException("'%s' is no such number".formatted(word));
    }
    return Double.parseDouble(word);
  }

  private static String value(String[] words, int index) {
    if (index >= words.length) {
      throw new IllegalArgumentException(words[index - 1] + " needs a value");
    }
    return words[index];
  }
}
