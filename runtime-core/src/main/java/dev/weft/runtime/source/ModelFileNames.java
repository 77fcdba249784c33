package dev.weft.runtime.source;

import java.util.List;
import java.util.Locale;
import java.util.Set;

/// Which files of a model are worth having. What can run code when it is read (pickled weights,
/// Python) is never among them.
final class ModelFileNames {
  private static final List<String> WANTED =
      List.of(".safetensors", ".gguf", ".json", ".txt", ".model", ".jinja");
  private static final Set<String> PICKLES =
      Set.of(".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack");

  private ModelFileNames() {}

  static boolean isWanted(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    return WANTED.stream().anyMatch(lower::endsWith);
  }

  static boolean isPickle(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    return PICKLES.stream().anyMatch(lower::endsWith);
  }

  /// Whether `path` is relative, of plain segments: nothing that leads out of where it is resolved.
  static boolean isPlainPath(String path) {
    if (path.isEmpty() || path.indexOf('\\') >= 0 || path.indexOf('\0') >= 0) {
      return false;
    }
    for (String segment : path.split("/", -1)) {
      if (segment.isEmpty()
          || segment.equals(".")
          || segment.equals("..")
          || segment.indexOf(':') >= 0) {
        return false;
      }
    }
    return true;
  }
}
