package dev.weft.autoscaler.memory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.memory.MemoryProtocol.Action;
import dev.weft.autoscaler.memory.MemoryProtocol.Planned;
import dev.weft.autoscaler.memory.MemoryProtocol.Refused;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class MemoryProtocolPropertyTest {
  private static final long CAPACITY = 100;

  /// Loads, grows, shrinks, unloads, losses and failures in any order, their actions ending in any
  /// order: never more than there is, nothing lost, and every plan ends.
  @Property(tries = 10_000)
  void anyInterleavingKeepsTheCapacityAndEnds(@ForAll long seed) {
    var random = new Random(seed);
    var protocol = new MemoryProtocol<Integer>(CAPACITY);
    var device = new Device();
    for (int i = 0; i < 60; i++) {
      int holder = random.nextInt(6);
      switch (random.nextInt(8)) {
        case 0, 1, 2 -> plan(protocol, holder, random.nextInt(61));
        case 3 -> plan(protocol, holder, 0);
        case 4 -> {
          protocol.lost(holder);
          device.lost(holder);
        }
        default -> device.endOne(protocol, random, random.nextInt(5) == 0);
      }
      device.start(protocol);
      device.check(protocol);
    }
    int left = 1_000;
    while (!protocol.settled() && left-- > 0) {
      device.endOne(protocol, random, random.nextInt(5) == 0);
      device.start(protocol);
      device.check(protocol);
    }
    assertThat(protocol.settled()).as("every plan ends").isTrue();
    for (int holder = 0; holder < 6; holder++) {
      assertThat(protocol.actualBytes(holder)).isEqualTo(protocol.plannedBytes(holder));
      assertThat(device.held.getOrDefault(holder, 0L)).isEqualTo(protocol.actualBytes(holder));
    }
    assertThat(protocol.actualBytes()).isEqualTo(protocol.plannedBytes());
  }

  private static void plan(MemoryProtocol<Integer> protocol, int holder, long bytes) {
    long room = protocol.roomBytes() + protocol.plannedBytes(holder);
    switch (protocol.plan(holder, bytes)) {
      case Planned _ -> {
        assertThat(bytes).isLessThanOrEqualTo(room);
        assertThat(protocol.plannedBytes(holder)).isEqualTo(bytes);
      }
      case Refused(var missing) -> assertThat(missing).isEqualTo(bytes - room);
    }
  }

  @Test
  void aLoadWaitsForTheMemoryOfWhoLeaves() {
    var protocol = new MemoryProtocol<String>(CAPACITY);
    protocol.plan("a", 80);
    Action<String> loadA = protocol.start().getFirst();
    protocol.completed(loadA);
    protocol.plan("a", 0);
    Action<String> unloadA = protocol.start().getFirst();
    assertThat(protocol.plan("b", 90)).isInstanceOf(Planned.class);
    assertThat(protocol.start()).as("a's memory is not free yet").isEmpty();
    assertThat(protocol.actualBytes()).isEqualTo(80);
    protocol.completed(unloadA);
    assertThat(protocol.start())
        .singleElement()
        .satisfies(load -> {
          assertThat(load.holder()).isEqualTo("b");
          assertThat(load.loads()).isTrue();
        });
    assertThat(protocol.actualBytes()).as("committed early").isEqualTo(90);
  }

  @Test
  void aSmallOneDoesNotOvertakeWhoWaitsForRoom() {
    var protocol = new MemoryProtocol<String>(CAPACITY);
    protocol.plan("a", 80);
    protocol.completed(protocol.start().getFirst());
    protocol.plan("a", 10);
    Action<String> shrinkA = protocol.start().getFirst();
    protocol.plan("big", 60);
    protocol.plan("small", 5);
    assertThat(protocol.start()).isEmpty();
    protocol.completed(shrinkA);
    assertThat(protocol.start()).extracting(Action::holder).containsExactly("big", "small");
  }

  @Test
  void aPlanThatWasOvertakenIsNotCarriedOut() {
    var protocol = new MemoryProtocol<String>(CAPACITY);
    protocol.plan("a", 50);
    protocol.plan("a", 0);
    assertThat(protocol.start()).allSatisfy(action -> assertThat(action.toBytes()).isZero());
    assertThat(protocol.actualBytes()).isZero();
  }

  /// What is really held, by the actions alone.
  private static final class Device {
    private final Map<Integer, Long> held = new HashMap<>();
    private final List<Action<Integer>> underWay = new ArrayList<>();

    void start(MemoryProtocol<Integer> protocol) {
      for (Action<Integer> action : protocol.start()) {
        assertThat(held.getOrDefault(action.holder(), 0L)).isEqualTo(action.fromBytes());
        if (action.grows()) {
          held.put(action.holder(), action.toBytes());
        }
        underWay.add(action);
      }
    }

    void endOne(MemoryProtocol<Integer> protocol, Random random, boolean fails) {
      if (underWay.isEmpty()) {
        return;
      }
      Action<Integer> action = underWay.remove(random.nextInt(underWay.size()));
      if (fails) {
        if (action.grows()) {
          held.put(action.holder(), action.fromBytes());
        }
        protocol.failed(action);
      } else {
        held.put(action.holder(), action.toBytes());
        protocol.completed(action);
      }
    }

    /// Its actions may still report: nobody listens.
    void lost(int holder) {
      held.remove(holder);
      underWay.removeIf(action -> action.holder() == holder);
    }

    void check(MemoryProtocol<Integer> protocol) {
      long sum = held.values().stream().mapToLong(Long::longValue).sum();
      assertThat(sum).isLessThanOrEqualTo(CAPACITY).isEqualTo(protocol.actualBytes());
      assertThat(protocol.plannedBytes()).isLessThanOrEqualTo(CAPACITY);
    }
  }
}
