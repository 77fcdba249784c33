package dev.weft.runtime.cpu.packed;

import dev.weft.functions.ByteSize;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The packed files of one directory, up to so many bytes: those that were used longest ago go
/// first. Processes may share the directory. Thread-safe.
///
/// It only ever saves work: whatever goes wrong with it is logged, and the weights are packed
/// again.
public final class PackedCache implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(PackedCache.class);
  private static final String SUFFIX = ".packed";

  /// Room that stays free on the disk.
  private static final long SPARE_BYTES = 1L << 30;

  private static final long CLOSE_SECONDS = 5;

  private final Settings settings;
  private final ContentHashes hashes;
  private final ExecutorService keeper;
  private final Map<PackedContents, PartFile> unnamed = new HashMap<>();
  private boolean swept;

  /// Where the files lie, and how many bytes they may take.
  public record Settings(Path directory, long limitBytes) {
    /// What a cache takes at most unless told otherwise.
    static final long DEFAULT_LIMIT_BYTES = 20L << 30;

    /// @param limit `off`, or a number of bytes with K, M, G or T
    public static Optional<Settings> of(Path directory, Optional<String> limit) {
      if (limit.isEmpty()) {
        return Optional.of(new Settings(directory, DEFAULT_LIMIT_BYTES));
      }
      if (limit.get().equals("off")) {
        return Optional.empty();
      }
      return Optional.of(
          new Settings(directory, ByteSize.parse("WEFT_CPU_PACKED_CACHE", limit.get())));
    }
  }

  /// @param unhurried called first by the thread that hashes and names files: makes it give way to
  ///   others
  public PackedCache(Settings settings, Runnable unhurried) {
    this.settings = settings;
    this.hashes = new ContentHashes(settings.directory().resolve("sources"));
    this.keeper =
        Executors.newSingleThreadExecutor(task ->
            Thread.ofPlatform()
                .name("weft-keep")
                .daemon()
                .unstarted(() -> {
                  unhurried.run();
                  task.run();
                }));
  }

  /// The contents as they were kept, mapped; empty when they are to be packed.
  public Optional<PackedFile> find(PackedContents contents) {
    try {
      Optional<PackedFile> fresh = findUnnamed(contents);
      if (fresh.isPresent()) {
        return fresh;
      }
      Optional<List<byte[]>> known = hashes.find(contents.sources());
      return known.isEmpty() ? Optional.empty() : open(contents, contents.header(known.get()));
    } catch (IOException e) {
      log.atWarn()
          .addKeyValue("reason", e.toString())
          .log("kept weights cannot be read; they are packed again");
      return Optional.empty();
    }
  }

  /// What this process has written and not named yet.
  private Optional<PackedFile> findUnnamed(PackedContents contents) throws IOException {
    synchronized (unnamed) {
      PartFile part = unnamed.get(contents);
      return part == null
          ? Optional.empty()
          : Optional.of(PackedFile.map(part.channel(), contents));
    }
  }

  private Optional<PackedFile> open(PackedContents contents, byte[] header) throws IOException {
    Path file = settings.directory().resolve(ContentHashes.name(header) + SUFFIX);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      if (channel.size() != contents.fileBytes() || !Arrays.equals(header, head(channel, header))) {
        log.atWarn()
            .addKeyValue("file", file.getFileName())
            .log("kept weights are damaged; they are packed again");
        Files.deleteIfExists(file);
        return Optional.empty();
      }
      PackedFile packed = PackedFile.map(channel, contents);
      Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
      return Optional.of(packed);
    } catch (NoSuchFileException e) {
      // Never kept, or given up for others.
      return Optional.empty();
    }
  }

  private static byte[] head(FileChannel channel, byte[] header) throws IOException {
    ByteBuffer head = ByteBuffer.allocate(header.length);
    int read;
    do {
      read = channel.read(head);
    } while (read > 0);
    return head.array();
  }

  /// A writer of the contents; empty when there is no room for them.
  ///
  /// @throws IOException when the directory cannot be written
  public Optional<PackedWriter> create(PackedContents contents) throws IOException {
    Files.createDirectories(settings.directory());
    sweep();
    long bytes = contents.fileBytes();
    long free = Files.getFileStore(settings.directory()).getUsableSpace();
    if (bytes > settings.limitBytes() || bytes > free - SPARE_BYTES) {
      log.atInfo()
          .addKeyValue("bytes", ByteSize.format(bytes))
          .addKeyValue("limit", ByteSize.format(settings.limitBytes()))
          .addKeyValue("free", ByteSize.format(free))
          .log("no room to keep packed weights; they are packed again at the next load");
      return Optional.empty();
    }
    return Optional.of(new PackedWriter(this, PartFile.create(settings.directory()), contents));
  }

  private synchronized void sweep() throws IOException {
    if (!swept) {
      PartFile.sweep(settings.directory());
      swept = true;
    }
  }

  /// Names a file that holds all of the contents but the header, when there is time.
  void keepLater(PartFile part, PackedContents contents) {
    synchronized (unnamed) {
      unnamed.put(contents, part);
    }
    keeper.execute(() -> {
      try {
        keep(part, contents);
      } catch (IOException | RuntimeException e) {
        log.atWarn()
            .addKeyValue("reason", e.toString())
            .log("packed weights cannot be kept; the next load packs again");
      } finally {
        synchronized (unnamed) {
          unnamed.remove(contents, part);
          part.close();
        }
      }
    });
  }

  private void keep(PartFile part, PackedContents contents) throws IOException {
    byte[] header = contents.header(hashes.get(contents.sources()));
    ByteBuffer bytes = ByteBuffer.wrap(header);
    while (bytes.hasRemaining()) {
      part.channel().write(bytes, bytes.position());
    }
    Path file = settings.directory().resolve(ContentHashes.name(header) + SUFFIX);
    part.name(file);
    log.atInfo()
        .addKeyValue("file", file.getFileName())
        .addKeyValue("bytes", ByteSize.format(contents.fileBytes()))
        .log("kept packed weights");
    evict(file);
  }

  private record Kept(Path path, long bytes, FileTime usedAt) {}

  /// Deletes what was used longest ago until the rest is within the limit.
  private void evict(Path newest) throws IOException {
    List<Kept> files;
    try (Stream<Path> all = Files.list(settings.directory())) {
      files =
          all.filter(file -> file.toString().endsWith(SUFFIX))
              .flatMap(file -> kept(file).stream())
              .sorted(Comparator.comparing(Kept::usedAt))
              .toList();
    }
    long total = files.stream().mapToLong(Kept::bytes).sum();
    for (Kept oldest : files) {
      if (total <= settings.limitBytes()) {
        return;
      }
      if (!oldest.path().equals(newest)) {
        Files.deleteIfExists(oldest.path());
        total -= oldest.bytes();
        log.atInfo()
            .addKeyValue("file", oldest.path().getFileName())
            .log("gave up packed weights for others");
      }
    }
  }

  private static Optional<Kept> kept(Path file) {
    try {
      return Optional.of(new Kept(file, Files.size(file), Files.getLastModifiedTime(file)));
    } catch (IOException e) {
      // Another process deleted it meanwhile.
      return Optional.empty();
    }
  }

  /// Gives what is being kept a moment to finish.
  @Override
  public void close() {
    keeper.shutdown();
    try {
      if (!keeper.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        keeper.shutdownNow();
      }
    } catch (InterruptedException e) {
      keeper.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
