package dev.weft.runtime.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.weights.ModelFormatException;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import net.jqwik.api.statistics.Statistics;
import org.jspecify.annotations.Nullable;

/// Whatever happens to a model's files, opening one either works, and then every tensor can be
/// read, or throws [ModelFormatException]; nothing else, and soon.
class ModelFilesPropertyTest {
  private static final int TRIES = 400;
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private static Path home = Path.of("");
  private static Path gguf = Path.of("");
  private static Path llama = Path.of("");
  private static Path bert = Path.of("");

  @BeforeContainer
  static void writeModels() throws IOException {
    home = Files.createTempDirectory("weft-models");
    Path ggufs = Files.createDirectory(home.resolve("gguf"));
    gguf = TinyModels.llama(ggufs, 1).hidden(32).layers(1).dtype(DType.Q4_1).writeGguf();
    llama = Files.createDirectory(home.resolve("llama"));
    TinyModels.llama(llama, 1).hidden(32).layers(1).writeShards();
    bert = Files.createDirectory(home.resolve("bert"));
    TinyModels.bert(bert, 1).layers(1).writeSafetensors();
  }

  @AfterContainer
  static void deleteModels() throws IOException {
    Files.walkFileTree(
        home,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException failure)
              throws IOException {
            Files.delete(directory);
            return FileVisitResult.CONTINUE;
          }
        });
  }

  /// A byte that is set, at a place given as a cubed fraction of the file: most are near the start,
  /// where the structure is.
  record Change(double place, byte value) {
    void apply(byte[] bytes) {
      if (bytes.length > 0) {
        bytes[(int) (place * place * place * (bytes.length - 1))] = value;
      }
    }
  }

  @Property(tries = TRIES)
  void aChangedGgufOpensOrIsRefused(@ForAll("changes") List<Change> changes) throws IOException {
    openWith(gguf, gguf, changes, 1);
  }

  /// The last tensor is needed, so no beginning of a file is a model; the writer's padding behind
  /// it is less than a hundredth.
  @Property(tries = TRIES)
  void aTruncatedGgufIsRefused(
      @ForAll("changes") List<Change> changes, @ForAll @DoubleRange(max = 0.99) double length)
      throws IOException {
    List<Change> few = changes.subList(0, Math.min(1, changes.size()));
    assertThat(open(gguf, gguf, few, length)).isEqualTo(Outcome.REFUSED);
  }

  @Property(tries = TRIES)
  void aChangedLlamaDirectoryOpensOrIsRefused(
      @ForAll("llamaFiles") String file,
      @ForAll("changes") List<Change> changes,
      @ForAll("lengths") double length)
      throws IOException {
    openWith(llama, llama.resolve(file), changes, length);
  }

  @Property(tries = TRIES)
  void aChangedBertDirectoryOpensOrIsRefused(
      @ForAll("bertFiles") String file,
      @ForAll("changes") List<Change> changes,
      @ForAll("lengths") double length)
      throws IOException {
    openWith(bert, bert.resolve(file), changes, length);
  }

  private enum Outcome {
    OPENED,
    REFUSED
  }

  /// Opens the model with the file changed, and notes the outcome: both must occur, or the property
  /// shows nothing.
  private static void openWith(Path model, Path file, List<Change> changes, double length)
      throws IOException {
    Statistics.collect(open(model, file, changes, length));
    Statistics.coverage(coverage -> {
      for (Outcome outcome : Outcome.values()) {
        coverage.check(outcome).percentage(share -> share > 5);
      }
    });
  }

  private static Outcome open(Path model, Path file, List<Change> changes, double length)
      throws IOException {
    byte[] original = Files.readAllBytes(file);
    byte[] changed = Arrays.copyOf(original, (int) (length * original.length));
    changes.forEach(change -> change.apply(changed));
    Files.write(file, changed);
    try {
      return assertTimeoutPreemptively(PATIENCE, () -> openAndRead(model));
    } finally {
      Files.write(file, original);
    }
  }

  private static Outcome openAndRead(Path model) {
    try (ModelPackage opened = ModelFiles.open(model)) {
      opened.weights().names().forEach(name -> Dequantizer.all(opened.weights().tensor(name)));
      assertThat(opened.tokenizer()).isNotNull();
      return Outcome.OPENED;
    } catch (ModelFormatException e) {
      assertThat(e.getMessage()).isNotBlank().doesNotContain(home.toString());
      return Outcome.REFUSED;
    }
  }

  @Provide
  Arbitrary<List<Change>> changes() {
    Arbitrary<Byte> values =
        Arbitraries.oneOf(
            Arbitraries.bytes(), Arbitraries.of((byte) 0, (byte) 1, (byte) 0x7F, (byte) 0xFF));
    return Combinators.combine(fractions(), values).as(Change::new).list().ofMaxSize(6);
  }

  @Provide
  Arbitrary<Double> fractions() {
    return Arbitraries.doubles().between(0, 1).ofScale(6);
  }

  /// Mostly whole files.
  @Provide
  Arbitrary<Double> lengths() {
    return Arbitraries.frequencyOf(Tuple.of(3, Arbitraries.just(1.0)), Tuple.of(1, fractions()));
  }

  @Provide
  Arbitrary<String> llamaFiles() {
    return Arbitraries.of(
        "config.json",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "tokenizer_config.json");
  }

  @Provide
  Arbitrary<String> bertFiles() {
    return Arbitraries.of(
        "config.json",
        "model.safetensors",
        "modules.json",
        "1_Pooling/config.json",
        "sentence_bert_config.json");
  }
}
