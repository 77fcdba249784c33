package dev.weft.platform.gateway;

import dev.weft.platform.gateway.activator.Activator;
import dev.weft.platform.gateway.routing.Target;
import io.vertx.core.AsyncResult;
import io.vertx.core.Context;
import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// The times that one request waits for an instance, and how long they were altogether. **thread**:
/// the event loop of its call.
final class Hold {
  private static final long NO_TIMER = -1;

  private final Vertx vertx;
  private final Context context;
  private Activator.@Nullable Waiter waiter;
  private long timer = NO_TIMER;
  private long since;
  private Duration total = Duration.ZERO;

  Hold(Vertx vertx, Context context) {
    this.vertx = vertx;
    this.context = context;
  }

  /// Waits for an instance; `released` hears what came of it, also after the request has left.
  void begin(Activator.Waiter waits, Handler<AsyncResult<Target>> released) {
    waiter = waits;
    since = System.nanoTime();
    waits
        .target()
        .onComplete(result ->
            context.runOnContext(_ -> {
              end();
              released.handle(result);
            }));
  }

  /// Does this again and again for as long as the request waits.
  void meanwhile(Duration period, Runnable each) {
    timer = vertx.setPeriodic(period.toMillis(), _ -> context.runOnContext(_ -> beat(each)));
  }

  private void beat(Runnable each) {
    if (waiter != null) {
      each.run();
    }
  }

  /// Waits no longer, if it does.
  void leave(Activator activator) {
    Activator.Waiter waiting = waiter;
    if (waiting != null) {
      end();
      activator.leave(waiting);
    }
  }

  private void end() {
    if (waiter == null) {
      return;
    }
    waiter = null;
    total = total.plusNanos(System.nanoTime() - since);
    if (timer != NO_TIMER) {
      vertx.cancelTimer(timer);
      timer = NO_TIMER;
    }
  }

  Duration total() {
    return total;
  }
}
