package dev.weft.runtime.engine;

import dev.weft.autoscaler.admission.InstanceLoad;
import dev.weft.functions.RevisionId;
import dev.weft.functions.ServiceLevel;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.memory.BlockSupply;
import dev.weft.runtime.memory.KvShare;
import dev.weft.runtime.memory.SwapSpace;
import dev.weft.runtime.tokenizer.Tokenizer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The engine of one device: one platform thread that takes what was asked of it, picks an instance
/// with work ([Turns]), runs one step of it, and begins anew. With no work it parks, but still
/// comes round now and then, so that [#sinceLastTurn] tells the truth.
///
/// Nothing that a request, a listener or a step does ends the loop: failures end sequences.
public final class DeviceLoop implements Engine {
  private static final Logger log = LoggerFactory.getLogger(DeviceLoop.class);

  /// Submissions are bounded by each instance as well; this bounds all of them, with cancellations.
  private static final int MAX_COMMANDS = 8_192;

  private final Settings settings;
  private final SwapSpace swap;
  private final EngineObserver observer;
  private final LongSupplier clock;
  private final Thread thread;
  private final LinkedBlockingQueue<Runnable> commands = new LinkedBlockingQueue<>(MAX_COMMANDS);
  private final Link link = new Link();

  /// Only the device's thread touches it.
  private final Turns turns = new Turns();

  private final MemoryForecast memory = new MemoryForecast();
  private volatile long lastTurnNanos;
  private volatile boolean closing;
  private boolean ended;

  /// How the engine works, apart from what each instance says.
  ///
  /// @param growthTokens tokens to grow by that an admitted sequence plans memory for; fewer admit
  ///   more sequences and preempt more often
  /// @param maxScoredRows rows of a chunk when all of its logits are kept
  /// @param embeddingTokens tokens of one encoder step: the longest pause that embeddings put
  ///   between two steps of a decoder
  /// @param idleTurn the longest time that an idle loop parks
  public record Settings(
      int growthTokens, int maxScoredRows, int embeddingTokens, Duration idleTurn) {
    public static final Settings DEFAULT = new Settings(256, 32, 512, Duration.ofMillis(250));
  }

  /// Starts the thread.
  ///
  /// @param device the device's name, which the thread takes
  /// @param swap where KV blocks go when memory runs out
  public DeviceLoop(String device, EngineObserver observer, SwapSpace swap) {
    this(device, observer, Settings.DEFAULT, swap, System::nanoTime);
  }

  /// @param nanoClock as [System#nanoTime]
  public DeviceLoop(
      String device,
      EngineObserver observer,
      Settings settings,
      SwapSpace swap,
      LongSupplier nanoClock) {
    this.settings = settings;
    this.swap = swap;
    this.observer = new ContainedObserver(observer);
    clock = nanoClock;
    lastTurnNanos = clock.getAsLong();
    thread = Thread.ofPlatform().name("weft-device-" + device).daemon().unstarted(this::run);
    thread.start();
  }

  @Override
  public DecoderInstance add(
      RevisionId revision,
      DecoderExecutable executable,
      Tokenizer tokenizer,
      DecoderOptions options) {
    var instance =
        new DecoderLoop(
            revision,
            executable,
            tokenizer,
            options,
            settings,
            swap,
            observer,
            link,
            BlockSupply.NONE);
    start(instance);
    return instance;
  }

  @Override
  public DecoderInstance add(
      RevisionId revision,
      DecoderExecutable executable,
      Tokenizer tokenizer,
      DecoderOptions options,
      KvShare kv) {
    var instance =
        new DecoderLoop(
            revision, executable, tokenizer, options, settings, swap, observer, link, kv);
    instance.share(kv);
    start(instance);
    return instance;
  }

  @Override
  public boolean call(Runnable task) {
    return link.call(task);
  }

  @Override
  public EncoderInstance add(
      RevisionId revision, EncoderExecutable executable, ServiceLevel serviceLevel) {
    var instance =
        new EncoderLoop(
            revision, executable, serviceLevel, settings.embeddingTokens(), observer, link);
    start(instance);
    return instance;
  }

  private void start(Work instance) {
    if (!link.call(() -> turns.add(instance, clock.getAsLong()))) {
      throw new IllegalStateException("the engine is closed");
    }
  }

  @Override
  public Optional<Duration> kvLasts() {
    long at = memory.exhaustedAt();
    return at == MemoryForecast.NEVER
        ? Optional.empty()
        : Optional.of(Duration.ofNanos(Math.max(0, at - clock.getAsLong())));
  }

  @Override
  public Duration sinceLastTurn() {
    return Duration.ofNanos(Math.max(0, clock.getAsLong() - lastTurnNanos));
  }

  @Override
  public void close() {
    closing = true;
    // A full queue wakes the thread as well.
    link.offer(() -> {});
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void run() {
    while (!closing) {
      lastTurnNanos = clock.getAsLong();
      boolean news = runCommands();
      Turns.Turn next = turns.next(lastTurnNanos, news);
      if (next == null) {
        park();
      } else {
        turn(next);
      }
    }
    endAll();
  }

  /// What was asked up to now; what comes meanwhile waits for the next turn, so that a flood of
  /// submissions cannot hold up the steps. Returns whether there was anything.
  private boolean runCommands() {
    int count = commands.size();
    for (int left = count; left > 0; left--) {
      Runnable command = commands.poll();
      if (command != null) {
        runContained(command);
      }
    }
    return count > 0;
  }

  private void park() {
    memory.clear();
    turns.all().forEach(instance -> runContained(instance::idle));
    try {
      Runnable command = commands.poll(settings.idleTurn().toNanos(), TimeUnit.NANOSECONDS);
      if (command != null) {
        runContained(command);
      }
    } catch (InterruptedException e) {
      // Nobody has a reason to interrupt this thread; it ends by close() alone.
      log.atWarn().log("the device's thread was interrupted and goes on");
    }
  }

  private void runContained(Runnable command) {
    try {
      command.run();
    } catch (RuntimeException | Error e) {
      log.atError().setCause(e).log("a command of the engine failed");
    }
  }

  private void turn(Turns.Turn turn) {
    Work instance = turn.work();
    observer.onTurn(turn.reason(), Duration.ofNanos(turn.headroomNanos()));
    try {
      instance.turn();
    } catch (RuntimeException | Error e) {
      log.atError().setCause(e).log("a turn of the engine failed; its requests end");
      runContained(() -> instance.fail(e));
    }
    long now = clock.getAsLong();
    turns.ended(instance, now);
    if (memory.due(now)) {
      runContained(() -> memory.look(turns.all(), now));
    }
  }

  private void endAll() {
    endInstances();
    synchronized (link) {
      ended = true;
    }
    // Those who asked in the last moment hear that the engine has ended.
    for (Runnable command = commands.poll(); command != null; command = commands.poll()) {
      runContained(command);
    }
    endInstances();
  }

  private void endInstances() {
    for (Work instance : turns.all()) {
      runContained(instance::end);
    }
  }

  /// The way of instances to this thread.
  private final class Link implements DeviceThread {
    @Override
    public boolean offer(Runnable task) {
      // Under a lock, so that no task slips in after the last one was taken out.
      synchronized (this) {
        return !ended && commands.offer(task);
      }
    }

    @Override
    public boolean call(Runnable task) {
      if (Thread.currentThread().threadId() == thread.threadId()) {
        throw new IllegalStateException("a listener must not wait for the device's thread");
      }
      var done = new CompletableFuture<Void>();
      Runnable command =
          () -> {
            try {
              task.run();
              done.complete(null);
            } catch (RuntimeException | Error e) {
              done.completeExceptionally(e);
            }
          };
      while (!offer(command)) {
        synchronized (this) {
          if (ended) {
            return false;
          }
        }
        // The queue is full, which the next turn ends.
        LockSupport.parkNanos(100_000);
      }
      try {
        done.join();
        return true;
      } catch (CompletionException e) {
        throw e.getCause() instanceof RuntimeException cause ? cause : e;
      }
    }

    @Override
    public boolean tasksWait() {
      return !commands.isEmpty();
    }

    @Override
    public void remove(Work instance) {
      turns.remove(instance);
    }

    @Override
    public long longestBesideOthers(Work instance) {
      return turns.longestBesideOthers(instance);
    }

    @Override
    public List<InstanceLoad> demands(Work instance, InstanceLoad own) {
      List<InstanceLoad> demands = new ArrayList<>();
      demands.add(own);
      for (Work other : turns.all()) {
        if (!other.equals(instance)) {
          other.demand().ifPresent(demands::add);
        }
      }
      return demands;
    }

    @Override
    public long nanoTime() {
      return clock.getAsLong();
    }
  }
}
