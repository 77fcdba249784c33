package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/// One source's fetch under way: counts bytes, tells the listener now and then, and ends the work
/// when the caller has cancelled. Used by one thread.
final class Transfer {
  private static final long REPORT_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final ModelSource source;
  private final FetchListener listener;
  private final BooleanSupplier cancelled;
  private long bytesDone;
  private OptionalLong bytesTotal = OptionalLong.empty();
  private long reportedAt;
  private boolean reported;

  Transfer(ModelSource source, FetchListener listener, BooleanSupplier cancelled) {
    this.source = source;
    this.listener = listener;
    this.cancelled = cancelled;
  }

  ModelSource source() {
    return source;
  }

  /// Bytes expected of all files together.
  void expect(long bytes) {
    bytesTotal = OptionalLong.of(bytes);
  }

  /// Counts bytes on disk; negative when some had to be given up.
  void advance(long bytes) {
    bytesDone += bytes;
    long now = System.nanoTime();
    if (!reported || now - reportedAt >= REPORT_NANOS) {
      report(now);
    }
  }

  /// Tells the last state.
  void finish() {
    report(System.nanoTime());
  }

  void note(String note) {
    listener.onNote(source, note);
  }

  boolean cancelled() {
    return cancelled.getAsBoolean() || Thread.currentThread().isInterrupted();
  }

  /// Throws `CANCELLED` once the caller has cancelled.
  void check() {
    if (cancelled()) {
      throw new SourceException(SourceException.Code.CANCELLED, "cancelled");
    }
  }

  private void report(long now) {
    reported = true;
    reportedAt = now;
    listener.onProgress(source, new FetchListener.Progress(bytesDone, bytesTotal));
  }
}
