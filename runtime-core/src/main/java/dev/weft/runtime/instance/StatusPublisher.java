package dev.weft.runtime.instance;

import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.runtime.instance.InstanceManager.Subscription;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.LongFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Publishes snapshots, each with a version one higher than the last: soon after a change, at most
/// once an interval however many changes there are, and at a slower pace while instances are busy,
/// since what the engine does meanwhile is no change of the manager's. A snapshot that says nothing
/// new is not published. One thread hands out all of them, so that every subscriber sees them in
/// order; a subscriber that comes in between starts with the present.
final class StatusPublisher implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(StatusPublisher.class);

  private final long intervalMillis;
  private final long busyIntervalNanos;
  private final ChangeSignal changes;
  private final LongFunction<DeviceStatus> snapshot;
  private final List<Entry> subscribers = new CopyOnWriteArrayList<>();
  private final Thread thread;
  private DeviceStatus current;

  /// A subscriber and the last version it was given; only the publisher's thread gives.
  private static final class Entry {
    private final Consumer<DeviceStatus> consumer;
    private long given;

    private Entry(Consumer<DeviceStatus> consumer) {
      this.consumer = consumer;
    }
  }

  /// @param changes raised when there may be something to publish
  /// @param snapshot the present, with the version given
  StatusPublisher(
      InstanceSettings settings, ChangeSignal changes, LongFunction<DeviceStatus> snapshot) {
    this.intervalMillis = settings.statusInterval().toMillis();
    this.busyIntervalNanos = settings.busyStatusInterval().toNanos();
    this.changes = changes;
    this.snapshot = snapshot;
    this.current = snapshot.apply(1);
    this.thread = Thread.ofPlatform().name("weft-status").daemon().unstarted(this::loop);
  }

  void start() {
    thread.start();
  }

  /// The present.
  synchronized DeviceStatus refresh() {
    DeviceStatus unchanged = snapshot.apply(current.version());
    if (!unchanged.equals(current)) {
      current = snapshot.apply(current.version() + 1);
      // Whoever subscribed hears of it from the thread.
      changes.raise();
    }
    return current;
  }

  Subscription subscribe(Consumer<DeviceStatus> consumer) {
    Entry entry = new Entry(consumer);
    subscribers.add(entry);
    changes.raise();
    return () -> subscribers.remove(entry);
  }

  private void loop() {
    try {
      while (true) {
        DeviceStatus status = publish();
        Thread.sleep(intervalMillis);
        boolean busy = status.instances().stream().anyMatch(InstanceStatus::busy);
        changes.await(busy ? busyIntervalNanos : ChangeSignal.forever());
      }
    } catch (InterruptedException e) {
      // Closed: there is nobody to tell any more.
      Thread.currentThread().interrupt();
    }
  }

  private DeviceStatus publish() {
    DeviceStatus status = refresh();
    for (Entry entry : subscribers) {
      if (entry.given < status.version()) {
        entry.given = status.version();
        give(entry, status);
      }
    }
    return status;
  }

  /// A subscriber that fails misses this status; the others, and the next ones, go on.
  private static void give(Entry entry, DeviceStatus status) {
    try {
      entry.consumer.accept(status);
    } catch (RuntimeException e) {
      log.atWarn().setCause(e).log("a subscriber of the status failed");
    }
  }

  @Override
  public void close() {
    thread.interrupt();
  }
}
