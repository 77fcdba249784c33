package dev.weft.bench.cpu;

import dev.weft.bench.models.ModelShape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/// The command line: `[ROUNDS] [--only PART,...] [--models NAME,...] [--cpus LIST] [--results
/// DIR]`, or `--render DIR`, which makes the report of a directory anew. See `bench/README.md`.
///
/// @param cpus processors to restrict the run to, as `taskset -c` takes them
record Arguments(
    int rounds,
    List<Part> parts,
    List<ModelShape> shapes,
    Optional<String> cpus,
    Optional<Path> results,
    Optional<Path> render) {
  private static final int DEFAULT_ROUNDS = 3;

  static Arguments parse(String[] words) {
    int rounds = DEFAULT_ROUNDS;
    List<Part> parts = CpuBench.PARTS;
    List<ModelShape> shapes = ModelShape.ALL;
    Optional<String> cpus = Optional.empty();
    Optional<Path> results = Optional.empty();
    Optional<Path> render = Optional.empty();
    for (int i = 0; i < words.length; i++) {
      switch (words[i]) {
        case "--only" -> parts = chosen(CpuBench.PARTS, Part::name, value(words, ++i));
        case "--models" -> shapes = chosen(ModelShape.ALL, ModelShape::name, value(words, ++i));
        case "--cpus" -> cpus = Optional.of(value(words, ++i));
        case "--results" -> results = Optional.of(Path.of(value(words, ++i)));
        case "--render" -> render = Optional.of(Path.of(value(words, ++i)));
        default -> rounds = rounds(words[i]);
      }
    }
    return new Arguments(rounds, parts, shapes, cpus, results, render);
  }

  private static int rounds(String word) {
    if (!word.matches("[1-9][0-9]{0,2}")) {
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

  private static <T> List<T> chosen(List<T> all, Function<T, String> name, String words) {
    List<T> chosen = new ArrayList<>();
    for (String word : words.split(",", -1)) {
      chosen.add(
          all.stream()
              .filter(each -> name.apply(each).equals(word))
              .findFirst()
              .orElseThrow(() ->
                  new IllegalArgumentException(
                      "no '%s'; there are %s".formatted(word, all.stream().map(name).toList()))));
    }
    return chosen;
  }
}
