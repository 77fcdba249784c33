package dev.weft.runtime.source;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.functions.ModelSource;
import dev.weft.runtime.source.Source.Fetched;
import dev.weft.runtime.source.Source.FetchedFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// What was fetched before, one small JSON file a source address (and hash): where its files lie,
/// and each file's size, time of change and hash. A receipt is written when all files are whole, so
/// it tells a complete download from an incomplete one without asking the network, and pins what a
/// moving address (`hf://org/name`, its main branch) gave first.
final class Receipts {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path directory;

  Receipts(Path directory) {
    this.directory = directory;
  }

  /// The JSON form.
  record Receipt(String uri, String path, List<Entry> files) {}

  /// One file of a receipt.
  record Entry(String name, long bytes, long modifiedMillis, String algorithm, String hash) {}

  void write(ModelSource source, Fetched fetched) {
    try {
      List<Entry> entries = new ArrayList<>();
      for (FetchedFile file : fetched.files()) {
        Path path = fetched.path().resolve(file.name());
        entries.add(
            new Entry(
                file.name(),
                Files.size(path),
                Files.getLastModifiedTime(path).toMillis(),
                file.algorithm(),
                file.hash()));
      }
      Receipt receipt =
          new Receipt(source.uri(), fetched.path().toAbsolutePath().toString(), entries);
      FileTree.writeAtomically(file(source), JSON.writeValueAsBytes(receipt));
    } catch (IOException e) {
      throw FileTree.failure("recording what was fetched", e);
    }
  }

  /// The files of an earlier fetch, if they are all as they were. A file of another size is not;
  /// one of another time is hashed.
  Optional<Path> find(ModelSource source, Transfer transfer) {
    Receipt receipt;
    try {
      receipt = JSON.readValue(Files.readAllBytes(file(source)), Receipt.class);
    } catch (NoSuchFileException | JsonProcessingException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw FileTree.failure("reading what was fetched before", e);
    }
    Path path = Path.of(receipt.path());
    for (Entry entry : receipt.files()) {
      if (!unchanged(path.resolve(entry.name()), entry, transfer)) {
        return Optional.empty();
      }
    }
    return Optional.of(path);
  }

  private static boolean unchanged(Path file, Entry entry, Transfer transfer) {
    try {
      if (!Files.isRegularFile(file) || Files.size(file) != entry.bytes()) {
        return false;
      }
      if (Files.getLastModifiedTime(file).toMillis() == entry.modifiedMillis()) {
        return true;
      }
      return Hashes.of(file, entry.algorithm(), transfer).equals(entry.hash());
    } catch (IOException e) {
      throw FileTree.failure("reading " + file.getFileName(), e);
    }
  }

  private Path file(ModelSource source) {
    return directory.resolve(key(source) + ".json");
  }

  /// A name for a source: the same address with another hash is another source.
  static String key(ModelSource source) {
    String sha256 = source.sha256();
    return Hashes.sha256(sha256 == null ? source.uri() : source.uri() + "\n" + sha256);
  }
}
