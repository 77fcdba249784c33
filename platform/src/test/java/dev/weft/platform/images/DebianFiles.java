package dev.weft.platform.images;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/// What programs need of the Debian system that they were compiled on: its libraries, as this
/// machine has them, each checked against the sums of the package that it is of.
///
/// They are this machine's own because the kernels are compiled against its C library, which asks
/// for one no older where they run.
final class DebianFiles {
  private static final String LIBRARIES = "lib/x86_64-linux-gnu/";
  private static final String LOADER = "/lib64/ld-linux-x86-64.so.2";

  /// A package that a file was taken of.
  record DebianPackage(String name, String version, String source, String status) {}

  private final LayerFiles files = new LayerFiles();
  private final NavigableMap<String, DebianPackage> packages = new TreeMap<>();

  /// @param programs what the loader is asked about
  /// @param own names of libraries that lie beside the programs
  static DebianFiles of(Collection<Path> programs, Set<String> own) throws IOException {
    var debian = new DebianFiles();
    for (Path library : needed(programs, own)) {
      debian.take(library);
    }
    debian.locale();
    debian.files.file("etc/os-release", Path.of("/etc/os-release").toRealPath());
    debian.describePackages();
    return debian;
  }

  LayerFiles files() {
    return files;
  }

  Collection<DebianPackage> packages() {
    return packages.values();
  }

  private static Set<Path> needed(Collection<Path> programs, Set<String> own) throws IOException {
    Set<Path> needed = new TreeSet<>(Set.of(Path.of(LOADER)));
    List<String> missing = new ArrayList<>();
    for (Path program : programs) {
      for (String line : Tool.lines("ldd", program.toString())) {
        String[] words = line.strip().split("\\s+", -1);
        if (words.length < 3 || !words[1].equals("=>") || own.contains(words[0])) {
          continue;
        }
        if (words[2].equals("not")) {
          missing.add("%s, of %s".formatted(words[0], program));
        } else {
          needed.add(Path.of(words[2]));
        }
      }
    }
    if (!missing.isEmpty()) {
      throw new IOException("libraries are not on this machine: " + String.join("; ", missing));
    }
    return needed;
  }

  private void take(Path library) throws IOException {
    Path owned = owned(library);
    verify(owned);
    String path =
        library.toString().equals(LOADER) ? LOADER.substring(1) : LIBRARIES + library.getFileName();
    files.program(path, library.toRealPath());
  }

  /// `C.UTF-8`, so that names of files are not of ASCII only.
  private void locale() throws IOException {
    Path locale = Path.of("/usr/lib/locale/C.utf8");
    owned(locale.resolve("LC_CTYPE"));
    files.tree(locale.toString().substring(1), locale);
  }

  /// The path by which a package has the file: on a system whose `/lib` is `/usr/lib` either may be
  /// the one that is recorded.
  private Path owned(Path file) throws IOException {
    for (Path path : List.of(file, Path.of("/usr" + file), file.toRealPath())) {
      Tool.Result found = Tool.run("dpkg-query", "--search", path.toString());
      if (found.exit() == 0) {
        String name = found.out().substring(0, found.out().indexOf(": "));
        if (!packages.containsKey(name)) {
          packages.put(name, describe(name));
        }
        return path;
      }
    }
    throw new IOException(
        "%s is of no Debian package; images are built on Debian or Ubuntu".formatted(file));
  }

  private static DebianPackage describe(String name) throws IOException {
    List<String> fields =
        Tool.lines(
            "dpkg-query",
            "--show",
            "--showformat=${Package}\\n${Version}\\n${source:Package}\\n",
            name);
    String status = Tool.text("dpkg-query", "--status", name);
    return new DebianPackage(fields.get(0), fields.get(1), fields.get(2), status);
  }

  private void verify(Path owned) throws IOException {
    String name = Tool.text("dpkg-query", "--search", owned.toString());
    for (String line :
        Tool.run("dpkg", "--verify", name.substring(0, name.indexOf(": "))).lines()) {
      if (line.endsWith(" " + owned)) {
        throw new IOException("%s is not what its package installed: %s".formatted(owned, line));
      }
    }
  }

  /// For those who look for known weaknesses in images, and the licences.
  private void describePackages() throws IOException {
    for (DebianPackage of : packages.values()) {
      files.text("var/lib/dpkg/status.d/" + of.name(), of.status());
      Path copyright = Path.of("/usr/share/doc", of.name(), "copyright");
      if (Files.exists(copyright)) {
        files.file(copyright.toString().substring(1), copyright.toRealPath());
      }
    }
  }
}
