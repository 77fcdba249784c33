package dev.weft.platform.images;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/// The files of one layer of an image, by their paths in it.
final class LayerFiles {
  private static final int DIRECTORY = 0755;
  private static final int FILE = 0644;
  private static final int PROGRAM = 0755;

  /// What stands at a path.
  private sealed interface Entry {
    record Copied(Path source, int mode) implements Entry {}

    record Written(String content) implements Entry {}

    record Link(String target) implements Entry {}

    record Directory(int mode) implements Entry {}
  }

  private final NavigableMap<String, Entry> entries = new TreeMap<>();

  LayerFiles file(String path, Path source) {
    return put(path, new Entry.Copied(source, FILE));
  }

  LayerFiles program(String path, Path source) {
    return put(path, new Entry.Copied(source, PROGRAM));
  }

  LayerFiles text(String path, String content) {
    return put(path, new Entry.Written(content));
  }

  LayerFiles directory(String path, int mode) {
    return put(path, new Entry.Directory(mode));
  }

  /// Everything below a directory; files that can be executed stay so.
  LayerFiles tree(String path, Path source) {
    try (Stream<Path> files = Files.walk(source)) {
      for (Path file : files.toList()) {
        String name = file.equals(source) ? path : path + "/" + source.relativize(file);
        if (Files.isSymbolicLink(file)) {
          put(name, new Entry.Link(Files.readSymbolicLink(file).toString()));
        } else if (Files.isDirectory(file)) {
          directory(name, DIRECTORY);
        } else {
          put(name, new Entry.Copied(file, Files.isExecutable(file) ? PROGRAM : FILE));
        }
      }
      return this;
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + source, e);
    }
  }

  List<String> paths() {
    return List.copyOf(entries.keySet());
  }

  private LayerFiles put(String path, Entry entry) {
    for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      entries.putIfAbsent(path.substring(0, slash), new Entry.Directory(DIRECTORY));
    }
    entries.put(path, entry);
    return this;
  }

  void writeTo(TarWriter tar) throws IOException {
    for (var at : entries.entrySet()) {
      switch (at.getValue()) {
        case Entry.Copied(Path source, int mode) -> tar.file(at.getKey(), source, mode);
        case Entry.Written(String content) ->
            tar.file(at.getKey(), content.getBytes(StandardCharsets.UTF_8), FILE);
        case Entry.Link(String target) -> tar.link(at.getKey(), target);
        case Entry.Directory(int mode) -> tar.directory(at.getKey(), mode);
      }
    }
  }
}
