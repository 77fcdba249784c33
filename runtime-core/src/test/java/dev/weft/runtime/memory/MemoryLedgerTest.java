package dev.weft.runtime.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.memory.MemoryLedger.Outcome;
import dev.weft.runtime.memory.MemoryLedger.Reservation;
import java.util.ArrayList;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

class MemoryLedgerTest {
  @Test
  void refusesWhatExceedsTheCapacityAndSaysHowMuchWouldFit() {
    var ledger = new MemoryLedger(100);
    reserved(ledger.reserve("a", 70));

    assertThat(ledger.reserve("b", 31)).isEqualTo(new Outcome.Refused(31, 30));
    assertThat(ledger.snapshot().plannedBytes()).isEqualTo(70);
    assertThat(ledger.snapshot().holdings()).hasSize(1);
  }

  @Test
  void growthWaitsUntilTheShrinkageOfAnotherHasCompleted() {
    var ledger = new MemoryLedger(100);
    var old = reserved(ledger.reserve("old", 80));
    reserved(old.resize(10));

    // The plan counts at once; the bytes are still in use.
    var fresh = reserved(ledger.reserve("fresh", 90));
    assertThat(fresh.committed()).isNotDone();
    assertThat(fresh.actualBytes()).isZero();
    assertThat(ledger.snapshot().actualBytes()).isEqualTo(80);

    old.complete();
    assertThat(fresh.committed()).isCompleted();
    assertThat(fresh.actualBytes()).isEqualTo(90);
    assertThat(ledger.snapshot().actualBytes()).isEqualTo(100);
  }

  @Test
  void aSmallGrowthDoesNotOvertakeALargeOneThatWaits() {
    var ledger = new MemoryLedger(100);
    var old = reserved(ledger.reserve("old", 80));
    reserved(old.resize(0));
    var large = reserved(ledger.reserve("large", 60));
    var small = reserved(ledger.reserve("small", 10));

    assertThat(large.committed()).isNotDone();
    assertThat(small.committed()).as("20 bytes are free, but 'large' is before it").isNotDone();

    old.close();
    assertThat(large.committed()).isCompleted();
    assertThat(small.committed()).isCompleted();
  }

  @Test
  void completionOfAnOlderShrinkageKeepsWhatHasBeenPlannedSince() {
    var ledger = new MemoryLedger(100);
    var owner = reserved(ledger.reserve("a", 80));
    reserved(owner.resize(20));
    reserved(owner.resize(60));

    owner.complete();

    assertThat(owner.actualBytes()).isEqualTo(60);
    assertThat(owner.committed()).isCompleted();
  }

  @Test
  void closingWhileWaitingCancelsAndLetsTheNextOnePass() {
    var ledger = new MemoryLedger(100);
    var old = reserved(ledger.reserve("old", 80));
    reserved(old.resize(0));
    var large = reserved(ledger.reserve("large", 60));
    var small = reserved(ledger.reserve("small", 10));

    var waitingForLarge = large.committed();
    large.close();

    assertThat(waitingForLarge).isCompletedExceptionally();
    assertThat(small.committed()).isCompleted();
  }

  @Test
  void aPlanReducedWhileItWaitsIsCommittedAtOnce() {
    var ledger = new MemoryLedger(100);
    var old = reserved(ledger.reserve("old", 80));
    reserved(old.resize(0));
    var first = reserved(ledger.reserve("first", 60));
    var second = reserved(ledger.reserve("second", 30));

    reserved(second.resize(0));

    assertThat(first.committed()).isNotDone();
    assertThat(second.committed()).isCompleted();
  }

  @Test
  void closingGivesEverythingBackOnce() {
    var ledger = new MemoryLedger(100);
    var owner = reserved(ledger.reserve("a", 80));

    owner.close();
    owner.close();

    assertThat(ledger.snapshot().actualBytes()).isZero();
    assertThat(ledger.snapshot().availableBytes()).isEqualTo(100);
    assertThatThrownBy(() -> owner.resize(1)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void refusesAnAmountSoLargeThatASumWouldOverflow() {
    var ledger = new MemoryLedger(Long.MAX_VALUE);
    reserved(ledger.reserve("a", Long.MAX_VALUE - 1));

    assertThat(ledger.reserve("b", Long.MAX_VALUE))
        .isEqualTo(new Outcome.Refused(Long.MAX_VALUE, 1));
  }

  /// Goal: sums hold under real threads. Four threads reserve, resize, complete and close at
  /// random, each checking the ledger as it goes.
  @Test
  void staysWithinCapacityWithManyThreads() throws Exception {
    var ledger = new MemoryLedger(1_000);
    var tasks = new ArrayList<Callable<Void>>();
    for (int thread = 0; thread < 4; thread++) {
      long seed = 17L + thread;
      tasks.add(() -> {
        hammer(ledger, new Random(seed));
        return null;
      });
    }
    try (var executor = Executors.newFixedThreadPool(tasks.size())) {
      for (Future<Void> done : executor.invokeAll(tasks)) {
        done.get();
      }
    }
    assertThat(ledger.snapshot().plannedBytes()).isZero();
    assertThat(ledger.snapshot().actualBytes()).isZero();
  }

  private static void hammer(MemoryLedger ledger, Random random) {
    var held = new ArrayList<Reservation>();
    for (int i = 0; i < 2_000; i++) {
      if (held.size() < 5
          && ledger.reserve("t", random.nextInt(300)) instanceof Outcome.Reserved r) {
        held.add(r.reservation());
      } else if (!held.isEmpty()) {
        var reservation = held.get(random.nextInt(held.size()));
        switch (random.nextInt(3)) {
          case 0 -> reservation.resize(random.nextInt(300));
          case 1 -> reservation.complete();
          default -> {
            held.remove(reservation);
            reservation.close();
          }
        }
      }
      var snapshot = ledger.snapshot();
      assertThat(snapshot.plannedBytes()).isBetween(0L, snapshot.capacityBytes());
      assertThat(snapshot.actualBytes()).isBetween(0L, snapshot.capacityBytes());
    }
    held.forEach(Reservation::close);
  }

  static Reservation reserved(Outcome outcome) {
    return switch (outcome) {
      case Outcome.Reserved(var reservation) -> reservation;
      case Outcome.Refused refused -> throw new AssertionError(refused);
    };
  }
}
