package dev.weft.runtime.model;

import dev.weft.runtime.weights.GgufFile;
import dev.weft.runtime.weights.ModelFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/// Opens a model's files, whichever format they are in, and checks them against each other: after
/// that, every tensor that the model computes with is there in its shape. Nothing is loaded yet,
/// and the vocabulary not even read.
public final class ModelFiles {
  private static final int ENTRIES_MAX = 10_000;
  private static final String INDEX = "model.safetensors.index.json";
  private static final String SINGLE = "model.safetensors";
  private static final List<String> PICKLES =
      List.of(".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle");

  private ModelFiles() {}

  /// Opens a `.gguf` file, a directory with `config.json` and safetensors, or a directory with one
  /// `.gguf` file; where a directory has both, the safetensors. Whoever opens the package closes
  /// it. Throws [ModelFormatException].
  public static ModelPackage open(Path path) {
    if (Files.isDirectory(path)) {
      return openDirectory(path);
    }
    String name = String.valueOf(path.getFileName());
    if (isPickle(name)) {
      throw pickle(name);
    }
    if (name.endsWith(".safetensors") || name.endsWith(".json")) {
      throw new ModelFormatException(
          "%s: a model in safetensors is a directory with its config.json and tokenizer.json; name the directory"
              .formatted(name));
    }
    return openGguf(path);
  }

  private static ModelPackage openDirectory(Path directory) {
    List<Path> files = list(directory);
    Optional<Path> safetensors = safetensors(directory, files);
    if (safetensors.isPresent()) {
      return new HuggingFaceModel(directory).open(safetensors.get());
    }
    Optional<Path> gguf = onlyGguf(directory, files);
    if (gguf.isPresent()) {
      return openGguf(gguf.get());
    }
    Optional<Path> pickle = files.stream().filter(file -> isPickle(name(file))).findFirst();
    if (pickle.isPresent()) {
      throw pickle(name(pickle.get()));
    }
    throw new ModelFormatException(
        "%s: the directory holds neither safetensors nor a GGUF file".formatted(name(directory)));
  }

  /// The one GGUF file of a directory, if it has any.
  static Optional<Path> onlyGguf(Path directory) {
    return onlyGguf(directory, list(directory));
  }

  private static Optional<Path> onlyGguf(Path directory, List<Path> files) {
    List<Path> ggufs = files.stream().filter(file -> name(file).endsWith(".gguf")).toList();
    if (ggufs.size() > 1) {
      throw new ModelFormatException(
          "%s: the directory has %d GGUF files (%s ...); name one of them"
              .formatted(name(directory), ggufs.size(), name(ggufs.getFirst())));
    }
    return ggufs.stream().findFirst();
  }

  /// The index, the single file, or empty where there is neither.
  private static Optional<Path> safetensors(Path directory, List<Path> files) {
    List<Path> safetensors =
        files.stream().filter(file -> name(file).endsWith(".safetensors")).toList();
    Path index = directory.resolve(INDEX);
    if (files.contains(index)) {
      return Optional.of(index);
    }
    Path single = directory.resolve(SINGLE);
    if (files.contains(single)) {
      return Optional.of(single);
    }
    if (safetensors.size() > 1) {
      throw new ModelFormatException(
          "%s: the directory has %d safetensors files and no %s that says what is where"
              .formatted(name(directory), safetensors.size(), INDEX));
    }
    return safetensors.stream().findFirst();
  }

  private static ModelPackage openGguf(Path path) {
    GgufFile file = GgufFile.open(path);
    try {
      String architecture =
          file.metadata()
              .string("general.architecture")
              .orElseThrow(() -> failure(file, "'general.architecture' is missing"));
      Family family =
          Families.ofGgufArchitecture(architecture)
              .orElseThrow(() ->
                  failure(
                      file,
                      "the architecture '%s' is not known; known are %s"
                          .formatted(architecture, Families.known(Family::ggufArchitecture))));
      ConfigReader config = new ConfigReader(new GgufConfig(file, architecture));
      ModelSpec spec = family.spec().apply(new ModelInput(config, file, Optional.empty()));
      TensorRequirement.check(file.fileName(), family.tensors().apply(spec), file, Map.of());
      return new ModelPackage(
          spec,
          file,
          () -> GgufTokenizer.read(file.fileName(), file.metadata(), spec.vocabularySize()),
          file.files(),
          file.metadata().string("tokenizer.chat_template"));
    } catch (RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private static List<Path> list(Path directory) {
    try (Stream<Path> entries = Files.list(directory)) {
      List<Path> files =
          entries.limit(ENTRIES_MAX + 1L).filter(Files::isRegularFile).sorted().toList();
      if (files.size() > ENTRIES_MAX) {
        throw new ModelFormatException(
            "%s: the directory has more than %d files".formatted(name(directory), ENTRIES_MAX));
      }
      return files;
    } catch (IOException e) {
      throw new ModelFormatException(
          "%s: the directory cannot be read (%s)"
              .formatted(name(directory), e.getClass().getSimpleName()),
          e);
    }
  }

  private static boolean isPickle(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    return PICKLES.stream().anyMatch(lower::endsWith);
  }

  private static ModelFormatException pickle(String name) {
    return new ModelFormatException(
        "%s: this format can run code when it is read, so Weft does not; convert the model to safetensors, with save_pretrained(..., safe_serialization=True)"
            .formatted(name));
  }

  private static ModelFormatException failure(GgufFile file, String reason) {
    return new ModelFormatException("%s: %s".formatted(file.fileName(), reason));
  }

  private static String name(Path path) {
    return String.valueOf(path.getFileName());
  }
}
