package dev.weft.platform.control;

import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Follows the status of runtimes that another process starts and ends: a gateway's way to fill its
/// [Fleet]. It goes on while the controller is away; a runtime that has moved meanwhile is found
/// again when the controller says where. One virtual thread a runtime.
@Singleton
public final class RuntimeFollowers {
  private static final Logger LOG = LoggerFactory.getLogger(RuntimeFollowers.class);
  private static final Duration PAUSE = Duration.ofMillis(200);
  private static final Duration LOOK_PERIOD = Duration.ofMillis(500);
  private static final Duration TIMEOUT = Duration.ofSeconds(2);

  private final RuntimeClient client;
  private final Fleet fleet;
  private final Map<DeviceId, RuntimeAddress> addresses = new ConcurrentHashMap<>();
  private final Set<DeviceId> unwell = ConcurrentHashMap.newKeySet();
  private volatile Set<DeviceId> doubted = Set.of();
  private volatile boolean told;

  public RuntimeFollowers(RuntimeClient client, Fleet fleet) {
    this.client = client;
    this.fleet = fleet;
  }

  /// Follows these runtimes, and goes on following those that are not named: a controller that has
  /// just started knows of none yet.
  public synchronized void follow(Map<DeviceId, RuntimeAddress> runtimes) {
    told = true;
    runtimes.forEach((device, address) -> {
      if (!address.equals(addresses.put(device, address))) {
        Thread.ofVirtual().name("follower-" + device).start(() -> run(device, address));
      }
    });
  }

  /// Whether anybody has said yet which runtimes there are.
  public boolean told() {
    return told;
  }

  /// Follows these runtimes and no others: devices that are not named are gone for good.
  public synchronized void followOnly(Map<DeviceId, RuntimeAddress> runtimes) {
    follow(runtimes);
    for (DeviceId device : List.copyOf(addresses.keySet())) {
      if (!runtimes.containsKey(device)) {
        addresses.remove(device);
        unwell.remove(device);
        fleet.forget(device);
      }
    }
  }

  /// Follows nobody any longer.
  public void stop() {
    addresses.clear();
  }

  /// Has these runtimes be asked whether they are well, and counts those out that do not say so:
  /// somebody says that they are not ready, and may be the one who is not well.
  public void doubt(Set<DeviceId> devices) {
    doubted = Set.copyOf(devices);
  }

  /// Takes over which of the devices are to be drained.
  public void drained(Set<DeviceId> drained) {
    for (DeviceId device : addresses.keySet()) {
      boolean wasDrained = fleet.snapshot().drained().contains(device);
      if (wasDrained != drained.contains(device)) {
        fleet.drain(device, !wasDrained);
      }
    }
  }

  /// Has a device be drained whose runtime is about to end.
  public void leaving(DeviceId device) {
    if (!fleet.snapshot().drained().contains(device)) {
      fleet.drain(device, true);
    }
  }

  private void run(DeviceId device, RuntimeAddress address) {
    try {
      while (address.equals(addresses.get(device))) {
        CountDownLatch ended = new CountDownLatch(1);
        client
            .follow(address, status -> publish(device, address, status))
            .onComplete(_ -> ended.countDown());
        while (!ended.await(LOOK_PERIOD.toMillis(), TimeUnit.MILLISECONDS)) {
          ask(device, address);
          clearSuspicion(device, address);
        }
        lost(device, address);
        Thread.sleep(PAUSE);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Whether a runtime that is doubted is well after all.
  private void ask(DeviceId device, RuntimeAddress address) {
    if (!doubted.contains(device) || client.healthy(address, TIMEOUT)) {
      unwell.remove(device);
    } else {
      hide(device, address);
    }
  }

  private synchronized void hide(DeviceId device, RuntimeAddress address) {
    if (address.equals(addresses.get(device)) && unwell.add(device)) {
      fleet.forget(device);
    }
  }

  /// A runtime that a request could not reach is taken back when it answers.
  private void clearSuspicion(DeviceId device, RuntimeAddress address) {
    boolean away = fleet.snapshot().find(device).map(known -> known.address() == null).orElse(true);
    if (away) {
      try {
        publish(device, address, client.status(address, TIMEOUT));
      } catch (RuntimeUnavailableException e) {
        LOG.atDebug().addKeyValue("device", device).setCause(e).log("no status yet");
      }
    }
  }

  private synchronized void lost(DeviceId device, RuntimeAddress address) {
    if (!address.equals(addresses.get(device))) {
      return;
    }
    if (doubted.contains(device)) {
      fleet.forget(device);
    } else {
      fleet.away(device, "its runtime does not answer");
    }
  }

  private synchronized void publish(DeviceId device, RuntimeAddress address, DeviceStatus status) {
    if (address.equals(addresses.get(device)) && !unwell.contains(device)) {
      fleet.update(status, address);
    }
  }
}
