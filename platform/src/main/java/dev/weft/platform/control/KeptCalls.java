package dev.weft.platform.control;

import dev.weft.functions.FunctionName;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Has what [Demand] knows of the times between calls survive a restart: finds it at the start, and
/// keeps it once a minute and at the end. A process that is killed loses the last minute's calls.
/// What cannot be read or written is tried again a minute later, and nothing is written before what
/// there was has been read.
///
/// It has a thread of its own, which nobody interrupts: a database whose thread is interrupted
/// while it writes is closed.
@Singleton
public final class KeptCalls {
  private static final Logger LOG = LoggerFactory.getLogger(KeptCalls.class);
  private static final Duration PERIOD = Duration.ofMinutes(1);

  /// So long the first round of control waits for what was known; it does without if it must.
  private static final Duration FIRST_READ = Duration.ofSeconds(2);

  private static final Duration LAST_WRITE = Duration.ofSeconds(5);

  private final Demand demand;
  private final CallsStore store;
  private final FunctionDirectory functions;

  /// Functions that were called since it was last written when. For the thread alone, as is
  /// `restored`.
  private final Set<FunctionName> unwritten = new HashSet<>();

  private boolean restored;
  private @Nullable ScheduledExecutorService writer;

  public KeptCalls(Demand demand, CallsStore store, FunctionDirectory functions) {
    this.demand = demand;
    this.store = store;
    this.functions = functions;
  }

  public void open() {
    ScheduledExecutorService opened =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("weft-kept-calls").daemon().factory());
    writer = opened;
    Future<?> first = opened.submit(this::keep);
    var _ =
        opened.scheduleWithFixedDelay(
            this::keep, PERIOD.toMillis(), PERIOD.toMillis(), TimeUnit.MILLISECONDS);
    try {
      first.get(FIRST_READ.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      LOG.atWarn().log("when functions were called is not known yet");
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Keeps what came since the last time.
  void keep() {
    try {
      if (!restored) {
        demand.restore(store.of(functions.snapshot().functions().keySet()));
        restored = true;
      }
      unwritten.addAll(demand.takeArrived());
      store.keep(demand.calls(unwritten));
      unwritten.clear();
    } catch (RuntimeException e) {
      // Else it would never be tried again.
      LOG.atError()
          .addKeyValue("reason", e.getMessage())
          .log("when functions were called could not be kept");
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
