package dev.weft.runtime.source;

import dev.weft.runtime.source.SourceException.Code;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// Which of the files that a place lists make up the model. Pure: the same choice from a hub's
/// list, a cache's, an object store's and an artifact's.
final class ModelSelection {
  /// Which of several GGUF files to take when none is named: small and good first, then what is
  /// larger, then what is smaller and worse.
  static final List<String> GGUF_PREFERENCE =
      List.of(
          "Q4_K_M", "Q8_0", "Q5_K_M", "Q6_K", "Q4_K_S", "Q5_K_S", "Q4_1", "Q4_0", "Q5_1", "Q5_0",
          "BF16", "F16", "F32");

  private static final Pattern SHARD = Pattern.compile("model-\\d{5}-of-(\\d{5})\\.safetensors");
  private static final Pattern SPLIT_GGUF = Pattern.compile(".*-\\d{5}-of-\\d{5}\\.gguf");
  private static final String SHARD_INDEX = "model.safetensors.index.json";

  /// The files to have.
  ///
  /// @param path what the model is, in the place that lists them: a GGUF file, a folder, or empty
  ///   for all of the place
  /// @param note one line when the choice was ours
  record Choice(String path, List<ListedFile> files, Optional<String> note) {
    public Choice {
      files = List.copyOf(files);
    }

    long bytes() {
      return files.stream().mapToLong(ListedFile::bytes).sum();
    }

    /// A file's name relative to [#path], empty when that is the file.
    String below(ListedFile file) {
      if (path.isEmpty()) {
        return file.path();
      }
      return path.equals(file.path()) ? "" : file.path().substring(path.length() + 1);
    }

    /// The only file, for a hash that a manifest gives.
    ListedFile only(String advice) {
      if (files.size() != 1) {
        throw new SourceException(Code.UNUSABLE, "sha256 is for a single file; " + advice);
      }
      return files.getFirst();
    }
  }

  private ModelSelection() {}

  /// Chooses the file `inside`, or the model in the folder `inside` (empty: all).
  static Choice choose(List<ListedFile> all, String inside) {
    Optional<ListedFile> named =
        all.stream().filter(file -> file.path().equals(inside)).findFirst();
    if (named.isPresent()) {
      return single(named.get());
    }
    String prefix = inside.isEmpty() ? "" : inside + "/";
    List<ListedFile> below = all.stream().filter(file -> file.path().startsWith(prefix)).toList();
    if (below.isEmpty()) {
      throw new SourceException(
          Code.NOT_FOUND, inside.isEmpty() ? "there are no files" : "there is no " + inside);
    }
    List<ListedFile> here =
        below.stream().filter(file -> file.path().indexOf('/', prefix.length()) < 0).toList();
    List<ListedFile> weights = safetensors(here);
    if (weights.isEmpty()) {
      return gguf(here, below);
    }
    return new Choice(inside, withConfiguration(weights, below, prefix), Optional.empty());
  }

  private static Choice single(ListedFile file) {
    if (!file.path().endsWith(".gguf")) {
      throw new SourceException(
          Code.UNUSABLE,
          file.name() + " alone is not a model; name a .gguf file, or a folder, or no file at all");
    }
    refuseSplit(file);
    return new Choice(file.path(), List.of(file), Optional.empty());
  }

  private static List<ListedFile> safetensors(List<ListedFile> here) {
    List<ListedFile> files =
        here.stream().filter(file -> file.path().endsWith(".safetensors")).toList();
    boolean indexed = here.stream().anyMatch(file -> file.name().equals(SHARD_INDEX));
    if (indexed) {
      return shards(files);
    }
    List<ListedFile> usual =
        files.stream().filter(file -> file.name().equals("model.safetensors")).toList();
    if (!usual.isEmpty() || files.size() <= 1) {
      return usual.isEmpty() ? files : usual;
    }
    throw new SourceException(
        Code.UNUSABLE,
        "several .safetensors files, none of them model.safetensors, and no index: "
            + names(files));
  }

  private static List<ListedFile> shards(List<ListedFile> files) {
    List<ListedFile> shards = new ArrayList<>();
    int promised = 0;
    for (ListedFile file : files) {
      Matcher shard = SHARD.matcher(file.name());
      if (shard.matches()) {
        shards.add(file);
        promised = Integer.parseInt(shard.group(1));
      }
    }
    if (shards.isEmpty() || shards.size() != promised) {
      throw new SourceException(
          Code.NOT_FOUND,
          "%d of %d parts of the weights are there".formatted(shards.size(), promised));
    }
    return shards;
  }

  /// The small files beside the weights, and those of the folders that a `modules.json` means
  /// (`1_Pooling/config.json`).
  private static List<ListedFile> withConfiguration(
      List<ListedFile> weights, List<ListedFile> below, String prefix) {
    Pattern module = Pattern.compile("\\d+_[A-Za-z]+/[^/]+");
    Stream<ListedFile> small =
        below.stream()
            .filter(file -> ModelFileNames.isWanted(file.path()))
            .filter(file -> {
              String name = file.path().substring(prefix.length());
              return module.matcher(name).matches() || (name.indexOf('/') < 0 && !isWeights(name));
            });
    return Stream.concat(small, weights.stream()).toList();
  }

  private static boolean isWeights(String name) {
    return name.endsWith(".safetensors") || name.endsWith(".gguf");
  }

  private static Choice gguf(List<ListedFile> here, List<ListedFile> below) {
    List<ListedFile> files =
        here.stream()
            .filter(file -> file.path().endsWith(".gguf"))
            .filter(file -> !file.name().toLowerCase(Locale.ROOT).contains("mmproj"))
            .sorted(Comparator.comparing(ListedFile::path))
            .toList();
    if (files.isEmpty()) {
      boolean pickled = below.stream().anyMatch(file -> ModelFileNames.isPickle(file.path()));
      throw new SourceException(
          Code.UNUSABLE,
          pickled
              ? "there are only pickled weights, which can run code when they are read;"
                  + " convert them to safetensors"
              : "no .safetensors and no .gguf file there");
    }
    ListedFile chosen =
        GGUF_PREFERENCE.stream()
            .flatMap(type -> files.stream().filter(file -> hasType(file, type)))
            .findFirst()
            .orElse(files.getFirst());
    refuseSplit(chosen);
    return new Choice(
        chosen.path(),
        List.of(chosen),
        files.size() == 1
            ? Optional.empty()
            : Optional.of(
                "takes %s of %d GGUF files; name another in the address to have that"
                    .formatted(chosen.name(), files.size())));
  }

  private static boolean hasType(ListedFile file, String type) {
    return file.name().toUpperCase(Locale.ROOT).matches(".*(^|[-._])" + type + "([-._].*)");
  }

  private static void refuseSplit(ListedFile file) {
    if (SPLIT_GGUF.matcher(file.name()).matches()) {
      throw new SourceException(
          Code.UNUSABLE,
          file.name() + " is one part of a split GGUF; join the parts (gguf-split --merge)");
    }
  }

  private static String names(List<ListedFile> files) {
    return String.join(", ", files.stream().map(ListedFile::name).toList());
  }
}
