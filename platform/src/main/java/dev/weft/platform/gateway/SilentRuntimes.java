package dev.weft.platform.gateway;

import dev.weft.platform.control.Fleet;
import dev.weft.platform.control.RuntimeAddress;
import dev.weft.platform.control.RuntimeClient;
import dev.weft.platform.gateway.routing.Target;
import io.vertx.core.http.HttpConnection;
import jakarta.annotation.PostConstruct;
import jakarta.annotation.PreDestroy;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Ends the connections to runtimes that have fallen silent: a node that loses its power or its
/// network says goodbye to nobody, and whoever waits for its answer would wait for ever. One whose
/// device has been away for a while, as the end of its status stream says, is asked for a sign of
/// life, and one that drains gives it. **thread**: connections come from event loops, one virtual
/// thread looks.
@Singleton
final class SilentRuntimes {
  private static final Logger LOG = LoggerFactory.getLogger(SilentRuntimes.class);
  private static final Duration PATIENCE = Duration.ofSeconds(3);
  private static final Duration TIMEOUT = Duration.ofSeconds(2);

  private final Fleet fleet;
  private final RuntimeClient client;
  private final Duration patience;
  private final Map<HttpConnection, Target> connections = new ConcurrentHashMap<>();
  private @Nullable Thread thread;

  @Inject
  SilentRuntimes(Fleet fleet, RuntimeClient client) {
    this(fleet, client, PATIENCE);
  }

  SilentRuntimes(Fleet fleet, RuntimeClient client, Duration patience) {
    this.fleet = fleet;
    this.client = client;
    this.patience = patience;
  }

  /// Notes which runtime a connection leads to: told with each request, it only looks most times.
  void add(HttpConnection connection, Target target) {
    if (connections.putIfAbsent(connection, target) == null) {
      connection.closeHandler(_ -> connections.remove(connection));
    }
  }

  @PostConstruct
  synchronized void start() {
    thread = Thread.ofVirtual().name("silent-runtimes").start(this::run);
  }

  @PreDestroy
  synchronized void stop() {
    if (thread != null) {
      thread.interrupt();
    }
  }

  private void run() {
    Set<RuntimeAddress> suspects = Set.of();
    try {
      while (true) {
        Thread.sleep(patience);
        suspects = look(suspects);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Ends connections to those that were suspected at the last look too and do not answer; returns
  /// whom to suspect now.
  private Set<RuntimeAddress> look(Set<RuntimeAddress> before) {
    Set<RuntimeAddress> away = new HashSet<>();
    Map<RuntimeAddress, Boolean> answers = new HashMap<>();
    Fleet.Snapshot seen = fleet.snapshot();
    connections.forEach((connection, target) -> {
      RuntimeAddress address = target.address();
      if (seen.find(target.device()).filter(device -> address.equals(device.address())).isEmpty()) {
        away.add(address);
        if (before.contains(address)
            && !answers.computeIfAbsent(address, asked -> client.answers(asked, TIMEOUT))) {
          LOG.atWarn().addKeyValue("device", target.device()).log("does not answer; given up");
          connection.close();
        }
      }
    });
    return away;
  }
}
