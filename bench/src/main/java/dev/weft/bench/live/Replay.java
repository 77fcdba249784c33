package dev.weft.bench.live;

import dev.weft.autoscaler.simulation.Served;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.bench.load.Endpoint;
import dev.weft.bench.load.HttpConnection;
import dev.weft.functions.FunctionName;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// Sends calls when they are due, each on a connection of its own. Whoever has no token when the
/// first was due hangs up, as the simulator gives such a request up: later by a cold start that it
/// waits for.
final class Replay {
  private static final long LEAD_NANOS = 200_000_000;

  /// How soon to look again whether a load goes on.
  private static final long LOOK_NANOS = 5_000_000;

  private final Endpoint gateway;
  private final LoadWatch watch;

  Replay(Endpoint gateway, LoadWatch watch) {
    this.gateway = gateway;
    this.watch = watch;
  }

  /// A request that is to be sent.
  ///
  /// @param message the whole of it, as it goes over the wire
  @SuppressWarnings("ArrayRecordComponent")
  record Message(FunctionName function, Trace.Call call, byte[] message) {}

  /// How a request was served; times count from the replay's beginning.
  ///
  /// @param error what else went wrong than that it was late; `null` when nothing did
  record Outcome(Trace.Call call, Served served, boolean hungUp, @Nullable String error) {
    boolean met(boolean withColdStart) {
      return error == null && served.met(LiveFunction.PROMISE, withColdStart);
    }
  }

  /// Returns when all have ended.
  List<Outcome> run(List<Message> messages) throws InterruptedException {
    long start = System.nanoTime() + LEAD_NANOS;
    List<Callable<Outcome>> callers = new ArrayList<>();
    try (ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (Message message : messages) {
        callers.add(() -> {
          long due = start + message.call().atNanos();
          awaitNanos(due);
          return new Caller(message, due, clock).call(start);
        });
      }
      List<Outcome> outcomes = new ArrayList<>();
      for (Future<Outcome> outcome : threads.invokeAll(callers)) {
        outcomes.add(outcome.get());
      }
      return outcomes;
    } catch (ExecutionException e) {
      throw new IllegalStateException("a caller failed: " + e.getMessage(), e);
    }
  }

  private static void awaitNanos(long due) {
    for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
  }

  /// One request on its way.
  private final class Caller {
    private final Message message;
    private final long due;
    private final ScheduledExecutorService clock;
    private final Reply reply = new Reply();
    private volatile boolean hungUp;

    Caller(Message message, long due, ScheduledExecutorService clock) {
      this.message = message;
      this.due = due;
      this.clock = clock;
    }

    Outcome call(long start) {
      String error = null;
      try (HttpConnection connection = new HttpConnection(gateway.port())) {
        look(connection);
        connection.send(message.message());
        connection.answer(reply);
        error = reply.error();
        if (error == null && reply.tokens() != message.call().answerTokens()) {
          error =
              "%d tokens instead of %d".formatted(reply.tokens(), message.call().answerTokens());
        }
      } catch (IOException e) {
        if (!hungUp) {
          error = e.toString();
        }
      }
      Trace.Call call = message.call();
      boolean ended = !hungUp && error == null;
      Served served =
          new Served(
              call.atNanos(),
              call.promptTokens(),
              call.answerTokens(),
              reply.firstAt() == Served.NEVER ? Served.NEVER : reply.firstAt() - start,
              ended ? reply.lastAt() - start : Served.NEVER,
              excusedNanos(reply.firstAt() == Served.NEVER ? System.nanoTime() : reply.firstAt()));
      return new Outcome(call, served, hungUp, error);
    }

    /// Hangs up if the first token should have come by now, and looks again when it should have if
    /// that is later.
    private void look(HttpConnection connection) {
      if (reply.firstAt() != Served.NEVER) {
        return;
      }
      long now = System.nanoTime();
      long left =
          LiveFunction.PROMISE.firstDeadline(due, message.call().promptTokens(), excusedNanos(now))
              - now;
      if (left > 0) {
        var _ =
            clock.schedule(
                () -> look(connection), Math.max(left, LOOK_NANOS), TimeUnit.NANOSECONDS);
        return;
      }
      hungUp = true;
      try {
        connection.close();
      } catch (IOException e) {
        throw new IllegalStateException("a connection cannot be closed", e);
      }
    }

    /// The cold start that it waited for until a moment.
    private long excusedNanos(long until) {
      return reply.held() ? watch.excusedNanos(message.function(), due, until) : 0;
    }
  }
}
