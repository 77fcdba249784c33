package dev.weft.platform.cluster;

import dev.weft.platform.control.Fleet;
import dev.weft.platform.control.FunctionDirectory;
import dev.weft.platform.control.LoadTracker;
import dev.weft.platform.control.RuntimeFollowers;
import dev.weft.platform.keys.KeyRing;
import dev.weft.platform.management.FunctionService;
import dev.weft.platform.management.KeyService;
import io.quarkus.runtime.Quarkus;
import jakarta.inject.Singleton;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What a process does because it is part of a cluster; on one machine, nothing.
@Singleton
public final class OperatorRole {
  private static final Logger LOG = LoggerFactory.getLogger(OperatorRole.class);
  private static final Duration KEYS_PERIOD = Duration.ofSeconds(10);
  private static final int LEASE_LOST = 1;

  private final Cluster cluster;
  private final KubernetesFunctionStore store;
  private final FunctionService functions;
  private final KeyService keys;
  private final KeyRing keyRing;
  private final FunctionDirectory directory;
  private final Fleet fleet;
  private final LoadTracker loads;
  private final RuntimeFollowers followers;
  private @Nullable Leadership leadership;
  private @Nullable RuntimeDiscovery discovery;
  private @Nullable FunctionOperator functionOperator;
  private @Nullable PoolOperator poolOperator;
  private @Nullable Thread keyWatch;

  OperatorRole(
      Cluster cluster,
      KubernetesFunctionStore store,
      FunctionService functions,
      KeyService keys,
      KeyRing keyRing,
      FunctionDirectory directory,
      Fleet fleet,
      LoadTracker loads,
      RuntimeFollowers followers) {
    this.cluster = cluster;
    this.store = store;
    this.functions = functions;
    this.keys = keys;
    this.keyRing = keyRing;
    this.directory = directory;
    this.fleet = fleet;
    this.loads = loads;
    this.followers = followers;
  }

  /// Looks for runtimes, where there is a cluster to look in.
  public synchronized void findRuntimes() {
    if (cluster.config().enabled() && discovery == null) {
      RuntimeDiscovery made = new RuntimeDiscovery(cluster, followers);
      discovery = made;
      made.start();
    }
  }

  /// Calls `control` when this controller leads, and is the operator from then on. Until then it
  /// knows nothing, and says so to whoever asks: nobody is told that a key or a function is not
  /// there.
  public void startWhenLeading(Runnable control) {
    current(false);
    Leadership made = new Leadership(cluster);
    leadership = made;
    made.start(() -> lead(control), () -> Quarkus.asyncExit(LEASE_LOST));
  }

  private synchronized void lead(Runnable control) {
    try {
      control.run();
      findRuntimes();
      FunctionOperator ofFunctions = new FunctionOperator(cluster, store, functions, fleet, loads);
      functionOperator = ofFunctions;
      ofFunctions.start();
      PoolOperator ofPools = new PoolOperator(cluster, fleet);
      poolOperator = ofPools;
      ofPools.start();
      keyWatch = Thread.ofVirtual().name("key-watch").start(this::watchKeys);
      current(true);
    } catch (RuntimeException e) {
      // Another controller may fare better; this one is started again.
      LOG.atError().setCause(e).log("this controller cannot lead");
      Quarkus.asyncExit(LEASE_LOST);
    }
  }

  private void current(boolean known) {
    keyRing.current(known);
    directory.current(known);
  }

  /// Keys that were given may be exchanged at any time.
  private void watchKeys() {
    while (true) {
      try {
        Thread.sleep(KEYS_PERIOD);
        keys.refresh();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      } catch (RuntimeException e) {
        LOG.atWarn().setCause(e).log("keys could not be read again; the known ones stay");
      }
    }
  }

  public synchronized void stop() {
    if (keyWatch != null) {
      keyWatch.interrupt();
    }
    if (functionOperator != null) {
      functionOperator.stop();
    }
    if (poolOperator != null) {
      poolOperator.stop();
    }
    if (discovery != null) {
      discovery.stop();
      followers.stop();
    }
    if (leadership != null) {
      leadership.stop();
    }
  }
}
