package dev.weft.runtime.server;

import dev.weft.functions.instance.ControlApi;
import dev.weft.runtime.engine.KvExport;
import dev.weft.runtime.server.openai.ApiError;
import dev.weft.runtime.server.openai.ApiError.Category;
import dev.weft.runtime.server.openai.ApiException;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// `GET` and `DELETE /control/kv/{ticket}`: keys and values that were kept of streams which were
/// sent elsewhere. A ticket is told to the gateway alone, and to whom it tells it. Thread-safe.
final class KvExports {
  private static final Logger log = LoggerFactory.getLogger(KvExports.class);

  private static final int TICKET_BYTES = 16;

  /// An instance keeps what it has for less.
  private static final long FORGOTTEN_AFTER_NANOS = TimeUnit.MINUTES.toNanos(1);

  private final RuntimeMetrics metrics;
  private final LongSupplier clock;
  private final SecureRandom secrets = new SecureRandom();
  private final Map<String, Kept> kept = new ConcurrentHashMap<>();

  private record Kept(KvExport export, Supplier<String> identity, String function, long since) {}

  /// @param clock as [System#nanoTime]
  KvExports(RuntimeMetrics metrics, LongSupplier clock) {
    this.metrics = metrics;
    this.clock = clock;
  }

  /// Keeps what was computed of a stream, and returns its ticket.
  ///
  /// @param identity of the model that computed it
  String keep(KvExport export, Supplier<String> identity, String function) {
    long now = clock.getAsLong();
    kept.values().removeIf(old -> now - old.since() > FORGOTTEN_AFTER_NANOS);
    byte[] random = new byte[TICKET_BYTES];
    secrets.nextBytes(random);
    String ticket = HexFormat.of().formatHex(random);
    kept.put(ticket, new Kept(export, identity, function, now));
    return ticket;
  }

  boolean knows(String ticket) {
    return kept.containsKey(ticket);
  }

  void decline(Call call) {
    end(call.segment());
    call.respond(204, "text/plain", new byte[0]);
  }

  private void end(String ticket) {
    Kept ended = kept.remove(ticket);
    if (ended != null) {
      ended.export().close();
    }
  }

  void send(Call call) {
    Kept wanted = kept.get(call.segment());
    if (wanted == null) {
      throw new ApiException(gone());
    }
    int first = Math.toIntExact(call.longHeader(ControlApi.KV_FIRST_HEADER).orElse(0));
    var body = new ResponseBody(call, "application/octet-stream");
    try {
      wanted.export().write(wanted.identity().get(), first, body);
      body.close();
      metrics.sentKv(wanted.function(), body.bytes());
      end(call.segment());
    } catch (IOException | IllegalStateException e) {
      // Whoever reads them computes the rest.
      log.atInfo()
          .addKeyValue("function", wanted.function())
          .addKeyValue("bytes", body.bytes())
          .addKeyValue("reason", e.toString())
          .log("keys and values of a stream were not sent to their end");
      if (body.begun()) {
        body.abort();
      } else {
        call.fail(gone());
      }
    }
  }

  private static ApiError gone() {
    return ApiError.of(Category.NOT_FOUND, "There are no such keys and values.", null, "kv_gone");
  }
}
