package dev.weft.bench.models;

import dev.weft.bench.QuickstartModels;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.weights.GgufFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// The models that are measured, written when they are first asked for and kept:
/// `<directory>/<shape>[-random].<type>.gguf`, or a directory of that name without `.gguf` with
/// safetensors.
///
/// SmolLM2 has its real weights where its file can be had; the others, and SmolLM2 where it cannot,
/// have random ones at exact shapes: speed does not depend on values.
public final class BenchModels {
  private static final long SEED = 20_261_122;

  private static final List<GgufFormat> MEASURED =
      List.of(GgufFormat.Q8_0, GgufFormat.Q4_0, GgufFormat.Q4_K_M, GgufFormat.F16);

  private final Path directory;
  private final Optional<Path> smolLm2;
  private final Vocabulary vocabulary;

  private BenchModels(Path directory, Optional<Path> smolLm2, Vocabulary vocabulary) {
    this.directory = directory;
    this.smolLm2 = smolLm2;
    this.vocabulary = vocabulary;
  }

  /// Models in a directory, SmolLM2 from its own file, fetched if need be.
  public static BenchModels in(Path directory) {
    Path file = QuickstartModels.smolLm2();
    return new BenchModels(directory, Optional.of(file), Vocabulary.read(file));
  }

  /// Random models alone, with the vocabulary of a GGUF file: for a machine that can fetch nothing.
  public static BenchModels random(Path directory, Path vocabulary) {
    return new BenchModels(directory, Optional.empty(), Vocabulary.read(vocabulary));
  }

  /// `WEFT_BENCH_MODELS`, or `$WEFT_HOME/bench-models`; random where `WEFT_BENCH_VOCABULARY` names
  /// a vocabulary's file.
  public static BenchModels ofEnvironment() {
    Path directory =
        Optional.ofNullable(System.getenv("WEFT_BENCH_MODELS"))
            .map(Path::of)
            .orElseGet(() -> QuickstartModels.weftHome().resolve("bench-models"));
    return Optional.ofNullable(System.getenv("WEFT_BENCH_VOCABULARY"))
        .map(file -> random(directory, Path.of(file)))
        .orElseGet(() -> in(directory));
  }

  /// Whether a shape's weights are real.
  public boolean real(ModelShape shape) {
    return shape.equals(ModelShape.SMOLLM2_135M) && smolLm2.isPresent();
  }

  /// SmolLM2's own file, where it can be had.
  public Optional<Path> smolLm2() {
    return smolLm2;
  }

  public Vocabulary vocabulary() {
    return vocabulary;
  }

  /// A GGUF file of a shape.
  public Path gguf(ModelShape shape, GgufFormat format) {
    return gguf(shape, format, label(shape, format.label()), source -> source);
  }

  /// A directory with safetensors of a shape.
  public Path safetensors(ModelShape shape, DType type) {
    return write(
        label(shape, type.name().toLowerCase(Locale.ROOT)),
        shape,
        (path, source) ->
            new SafetensorsModel(shape, type, vocabulary.sized(shape.vocabulary()))
                .write(path, source));
  }

  /// What is made of a shape's weights before they are written.
  public interface Change {
    WeightSource of(WeightSource source);
  }

  /// A GGUF file of changed weights.
  public Path gguf(ModelShape shape, GgufFormat format, String name, Change change) {
    return write(
        name + ".gguf",
        shape,
        (path, source) ->
            new GgufModel(shape, format, vocabulary.sized(shape.vocabulary()))
                .write(path, change.of(source)));
  }

  /// The dequantised weights of a GGUF file of a shape as float32.
  public Path dequantized(ModelShape shape, Path gguf) {
    String name = String.valueOf(gguf.getFileName()).replace(".gguf", "") + ".dequantized.f32";
    try (GgufFile file = GgufFile.open(gguf)) {
      return gguf(shape, GgufFormat.F32, name, _ -> WeightSource.gguf(shape, file));
    }
  }

  private String label(ModelShape shape, String format) {
    return shape.name() + (real(shape) ? "" : "-random") + "." + format;
  }

  private interface Writer {
    void write(Path path, WeightSource source) throws IOException;
  }

  /// Written beside and moved, so that what is there is whole.
  private Path write(String name, ModelShape shape, Writer writer) {
    Path path = directory.resolve(name);
    if (Files.exists(path)) {
      return path;
    }
    System.err.println("writing " + path);
    Path partial = directory.resolve(name + ".partial");
    try {
      Files.createDirectories(directory);
      if (real(shape)) {
        try (GgufFile file = GgufFile.open(smolLm2.orElseThrow())) {
          writer.write(partial, WeightSource.gguf(shape, file));
        }
      } else {
        writer.write(partial, WeightSource.random(SEED));
      }
      return Files.move(partial, path, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write " + path, e);
    }
  }

  /// Writes all, or those of the shapes named, and prints where they are.
  public static void main(String[] shapes) {
    BenchModels models = ofEnvironment();
    List<String> names = List.of(shapes);
    for (ModelShape shape : ModelShape.ALL) {
      if (names.isEmpty() || names.contains(shape.name())) {
        for (GgufFormat format : MEASURED) {
          System.out.println(models.gguf(shape, format));
        }
        System.out.println(models.safetensors(shape, DType.BF16));
      }
    }
  }
}
