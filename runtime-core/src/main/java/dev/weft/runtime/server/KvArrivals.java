package dev.weft.runtime.server;

import dev.weft.autoscaler.memory.KvMove;
import dev.weft.autoscaler.memory.KvMove.Missing;
import dev.weft.autoscaler.memory.LinkSpeed;
import dev.weft.functions.instance.ControlApi;
import dev.weft.runtime.engine.GenerationRequest;
import dev.weft.runtime.engine.KvArrival;
import dev.weft.runtime.instance.ServingModel.Generator;
import dev.weft.runtime.server.openai.ContinueRequest.KeptKv;
import dev.weft.runtime.transfer.KvTransferException;
import dev.weft.runtime.transfer.KvTransferException.Reason;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Fetches keys and values of streams that go on here from the runtimes that wrote them until now,
/// where [KvMove] says that this takes less time than computing them. Whatever goes wrong, the
/// stream goes on: what did not come is computed. Thread-safe.
final class KvArrivals {
  private static final Logger log = LoggerFactory.getLogger(KvArrivals.class);
  private static final int CONNECT_MILLIS = 1_000;

  /// A runtime that is silent for so long is taken for dead.
  private static final int SILENT_MILLIS = 2_000;

  private final RuntimeMetrics metrics;

  /// By the host that bytes come from.
  private final Map<String, LinkSpeed> links = new ConcurrentHashMap<>();

  KvArrivals(RuntimeMetrics metrics) {
    this.metrics = metrics;
  }

  /// What became of the keys and values of one sequence.
  ///
  /// @param arrival what holds those that are here until the request has been submitted
  /// @param told what was done, and why, for people
  record Outcome(Optional<KvArrival> arrival, String told) implements AutoCloseable {
    @Override
    public void close() {
      arrival.ifPresent(KvArrival::close);
    }
  }

  /// How it ended, for the meters.
  private enum End {
    MOVED,
    COMPUTED,
    KNOWN
  }

  /// Brings what helps of `kept` to `model`, for a request that is about to be submitted. Takes as
  /// long as it takes: not for threads that must not wait.
  Outcome bring(Generator model, GenerationRequest request, KeptKv kept) {
    String function = model.common().revision().function().value();
    int[] text =
        IntStream.concat(IntStream.of(request.promptTokens()), IntStream.of(request.generated()))
            .toArray();
    Optional<KvArrival> opened = model.decoder().arrive(text);
    if (opened.isEmpty()) {
      decline(kept);
      metrics.arrivedKv(function, End.COMPUTED.name(), Reason.MEMORY.name(), 0, 0);
      return new Outcome(opened, "its text is computed again: there is no memory for what it had");
    }
    KvArrival arrival = opened.get();
    int tokens = Math.min(arrival.missing(), kept.tokens() - arrival.known());
    if (tokens <= 0) {
      decline(kept);
      metrics.arrivedKv(function, End.KNOWN.name(), "", 0, 0);
      return new Outcome(
          opened, "the keys and values of its text were known here: %d".formatted(arrival.known()));
    }
    KvMove move =
        KvMove.decide(
            new Missing(arrival.known(), tokens, arrival.tokenBytes()),
            arrival.times(),
            links.getOrDefault(host(kept), LinkSpeed.PRIOR));
    return switch (move.way()) {
      case COMPUTE -> {
        decline(kept);
        metrics.arrivedKv(function, End.COMPUTED.name(), "CHEAPER", 0, 0);
        yield new Outcome(opened, "its text is computed again: " + move.reason());
      }
      case MOVE -> new Outcome(opened, take(arrival, model, kept, move));
    };
  }

  private String take(KvArrival arrival, Generator model, KeptKv kept, KvMove move) {
    String function = model.common().revision().function().value();
    long start = System.nanoTime();
    Optional<KvTransferException> failure = fetch(arrival, model, kept);
    long nanos = System.nanoTime() - start;
    long bytes = arrival.taken() * arrival.tokenBytes();
    String came =
        String.format(
            Locale.ROOT,
            "keys and values of %d tokens came from %s in %.1f ms",
            arrival.taken(),
            kept.at().getAuthority(),
            (double) nanos / 1e6);
    if (failure.isPresent()) {
      Reason reason = failure.get().reason();
      metrics.arrivedKv(function, End.COMPUTED.name(), reason.name(), arrival.taken(), bytes);
      log.atWarn()
          .addKeyValue("function", function)
          .addKeyValue("from", kept.at().getAuthority())
          .addKeyValue("code", reason)
          .addKeyValue("reason", failure.get().getMessage())
          .log("keys and values of a stream did not come; they are computed");
      return "%s, the rest is computed: %s".formatted(came, failure.get().getMessage());
    }
    links.merge(
        host(kept), LinkSpeed.PRIOR.after(bytes, nanos), (before, _) -> before.after(bytes, nanos));
    metrics.arrivedKv(function, End.MOVED.name(), "", arrival.taken(), bytes);
    return "%s: %s".formatted(came, move.reason());
  }

  private static Optional<KvTransferException> fetch(
      KvArrival arrival, Generator model, KeptKv kept) {
    try {
      HttpURLConnection connection = open(kept, "GET");
      connection.setRequestProperty(ControlApi.KV_FIRST_HEADER, Integer.toString(arrival.known()));
      try {
        if (connection.getResponseCode() != HttpURLConnection.HTTP_OK) {
          throw new KvTransferException(
              Reason.GONE, "the other runtime does not have them any more");
        }
        try (InputStream body = connection.getInputStream()) {
          arrival.take(body, model.kvIdentity().get());
        }
      } finally {
        connection.disconnect();
      }
      return Optional.empty();
    } catch (KvTransferException e) {
      return Optional.of(e);
    } catch (IOException e) {
      return Optional.of(
          new KvTransferException(Reason.LINK, "the other runtime is gone: " + e.getMessage()));
    } catch (RuntimeException e) {
      log.atError().setCause(e).log("taking over keys and values failed");
      return Optional.of(new KvTransferException(Reason.FORMAT, "they could not be taken over"));
    }
  }

  private static HttpURLConnection open(KeptKv kept, String method) throws IOException {
    var connection = (HttpURLConnection) kept.at().toURL().openConnection(Proxy.NO_PROXY);
    connection.setRequestMethod(method);
    connection.setInstanceFollowRedirects(false);
    connection.setConnectTimeout(CONNECT_MILLIS);
    connection.setReadTimeout(SILENT_MILLIS);
    return connection;
  }

  /// Says that nobody will fetch them, so that their memory is free sooner. Nobody waits for it.
  private static void decline(KeptKv kept) {
    Thread.ofVirtual()
        .name("weft-decline")
        .start(() -> {
          try {
            HttpURLConnection connection = open(kept, "DELETE");
            connection.getResponseCode();
            connection.disconnect();
          } catch (IOException e) {
            log.atDebug().addKeyValue("reason", e.toString()).log("could not decline");
          }
        });
  }

  private static String host(KeptKv kept) {
    return kept.at().getHost();
  }
}
