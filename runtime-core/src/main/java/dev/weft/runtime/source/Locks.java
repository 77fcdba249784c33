package dev.weft.runtime.source;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/// Locks between threads and between processes: a lock file holds off other processes, a lock in
/// memory the other threads of this one, which the system would let through. The system releases
/// the file's lock when its process dies; the empty file stays, since removing it would race.
final class Locks {
  private static final long POLL_MILLIS = 50;
  // As many as there are sources in use on this machine: tens.
  private static final ConcurrentMap<Path, ReentrantLock> LOCK_BY_FILE = new ConcurrentHashMap<>();

  private Locks() {}

  /// Runs `work` alone. Waiting ends with `CANCELLED` when the transfer is cancelled.
  static <T> T alone(Path file, Transfer transfer, Supplier<T> work) {
    Path lockFile = file.toAbsolutePath().normalize();
    FileTree.createDirectories(Objects.requireNonNull(lockFile.getParent()));
    ReentrantLock lock = LOCK_BY_FILE.computeIfAbsent(lockFile, _ -> new ReentrantLock());
    waitFor(transfer, () -> lock.tryLock(POLL_MILLIS, TimeUnit.MILLISECONDS));
    try (FileChannel channel =
        FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      waitFor(
          transfer,
          () -> {
            FileLock held = channel.tryLock();
            if (held == null) {
              Thread.sleep(POLL_MILLIS);
            }
            return held != null; // closing the channel releases it
          });
      return work.get();
    } catch (IOException e) {
      throw FileTree.failure("locking " + lockFile.getFileName(), e);
    } finally {
      lock.unlock();
    }
  }

  /// Tries to get a lock, waiting a little.
  private interface Attempt {
    boolean succeeds() throws IOException, InterruptedException;
  }

  private static void waitFor(Transfer transfer, Attempt attempt) {
    try {
      boolean waiting = false;
      while (!attempt.succeeds()) {
        transfer.check();
        if (!waiting) {
          waiting = true;
          transfer.note("another process or thread is fetching it; waiting for that");
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      transfer.check();
    } catch (IOException e) {
      throw FileTree.failure("locking", e);
    }
  }
}
