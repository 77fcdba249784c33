package dev.weft.platform.control;

import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Has what [Demand] knows of the times between calls survive a restart: finds it at the start, and
/// keeps it once a minute and at the end. A process that is killed loses the last minute's calls.
///
/// It has a thread of its own, which nobody interrupts: a database whose thread is interrupted
/// while it writes is closed.
@Singleton
public final class KeptCalls {
  private static final Logger LOG = LoggerFactory.getLogger(KeptCalls.class);
  private static final Duration PERIOD = Duration.ofMinutes(1);
  private static final Duration LAST_WRITE = Duration.ofSeconds(5);

  private final Demand demand;
  private final CallsStore store;
  private @Nullable ScheduledExecutorService writer;

  public KeptCalls(Demand demand, CallsStore store) {
    this.demand = demand;
    this.store = store;
  }

  public void open() {
    demand.restore(store.all());
    ScheduledExecutorService opened =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("weft-kept-calls").daemon().factory());
    var _ =
        opened.scheduleWithFixedDelay(
            this::keep, PERIOD.toMillis(), PERIOD.toMillis(), TimeUnit.MILLISECONDS);
    writer = opened;
  }

  /// Keeps what came since the last time.
  private void keep() {
    try {
      store.keep(demand.calls(demand.takeArrived()));
    } catch (RuntimeException e) {
      // Else it would never be tried again. What was not kept is when its function is called next.
      LOG.atError().setCause(e).log("when functions were called could not be kept");
    }
  }

  /// Does nothing where it was never opened.
  public void close() {
    ScheduledExecutorService opened = writer;
    if (opened == null) {
      return;
    }
    opened.execute(this::keep);
    opened.shutdown();
    try {
      if (!opened.awaitTermination(LAST_WRITE.toMillis(), TimeUnit.MILLISECONDS)) {
        LOG.atWarn().log("when functions were called was not kept in time");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
