package dev.weft.platform.cluster;

import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderCallbacks;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderElectionConfigBuilder;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderElector;
import io.fabric8.kubernetes.client.extended.leaderelection.resourcelock.LeaseLock;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Whether this controller leads: one holds a Lease, and the others wait for it. Who leads says so
/// in a label of its pod, by which the controllers' Service finds it. Who has lost the Lease ends:
/// another may lead already, and two must not.
final class Leadership {
  static final String LABEL = "weft.dev/leader";
  private static final Logger LOG = LoggerFactory.getLogger(Leadership.class);
  private static final Duration PAUSE = Duration.ofSeconds(1);

  private final Cluster cluster;
  private final String identity;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private volatile @Nullable CompletableFuture<?> election;
  private volatile boolean stopping;

  Leadership(Cluster cluster) {
    this.cluster = cluster;
    this.identity = cluster.config().pod().orElseGet(() -> UUID.randomUUID().toString());
  }

  /// Begins to wait for the Lease.
  ///
  /// @param lead called when it is held, in a thread of its own
  /// @param lose called when it is lost without having been given up
  void start(Runnable lead, Runnable lose) {
    threads.execute(() -> {
      try {
        startWhenThereIsAnApi(lead, lose);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
  }

  /// Whoever ended for want of the cluster's API would be started again after longer and longer
  /// pauses, and not lead for as long when it is back.
  private void startWhenThereIsAnApi(Runnable lead, Runnable lose) throws InterruptedException {
    while (!stopping) {
      try {
        label(null);
        elect(lead, lose);
        return;
      } catch (RuntimeException e) {
        LOG.atWarn().setCause(e).log("this controller cannot wait to lead yet; trying again");
        Thread.sleep(PAUSE);
      }
    }
  }

  private void elect(Runnable lead, Runnable lose) {
    Duration lease = cluster.config().lease();
    LeaderElector elector =
        new LeaderElector(
            cluster.client(),
            new LeaderElectionConfigBuilder()
                .withName("weft")
                .withLock(new LeaseLock(lease(), identity))
                .withLeaseDuration(lease)
                .withRenewDeadline(lease.multipliedBy(2).dividedBy(3))
                .withRetryPeriod(lease.dividedBy(8))
                .withReleaseOnCancel(true)
                .withLeaderCallbacks(
                    new LeaderCallbacks(
                        () -> threads.execute(() -> led(lead)),
                        () -> stopped(lose),
                        leader -> LOG.atInfo().addKeyValue("leader", leader).log("a leader")))
                .build(),
            threads);
    election = elector.start();
  }

  private ObjectMeta lease() {
    return new ObjectMetaBuilder()
        .withNamespace(cluster.namespace())
        .withName(cluster.named("controller"))
        .withOwnerReferences(cluster.installation())
        .build();
  }

  private void led(Runnable lead) {
    LOG.atInfo().addKeyValue("identity", identity).log("this controller leads");
    lead.run();
    label("true");
  }

  private void stopped(Runnable lose) {
    if (!stopping) {
      LOG.atError().addKeyValue("identity", identity).log("the lease was lost");
      lose.run();
    }
  }

  /// Gives the Lease up, so that another need not wait for its end.
  void stop() {
    stopping = true;
    CompletableFuture<?> running = election;
    if (running == null) {
      return;
    }
    running.cancel(true);
    threads.shutdown();
    try {
      if (!threads.awaitTermination(5, TimeUnit.SECONDS)) {
        throw new TimeoutException("the lease was not given up in time");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (TimeoutException e) {
      LOG.atWarn().setCause(e).log("another controller leads when the lease has run out");
    }
  }

  private void label(@Nullable String value) {
    cluster
        .config()
        .pod()
        .ifPresent(pod -> {
          Map<String, Object> labels = new HashMap<>();
          labels.put(LABEL, value);
          cluster.mergePod(pod, Map.of("metadata", Map.of("labels", labels)));
        });
  }
}
