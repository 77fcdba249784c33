package dev.weft.runtime.memory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.memory.MemoryLedger.Outcome;
import dev.weft.runtime.memory.MemoryLedger.Reservation;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/// Any sequence of actions on a ledger: neither sum passes the capacity, nothing is lost, and
/// growth waits only while a shrinkage has not completed.
class MemoryLedgerPropertyTest {
  private static final long CAPACITY = 100;

  enum Verb {
    RESERVE,
    RESIZE,
    COMPLETE,
    CLOSE
  }

  record Action(Verb verb, int target, long bytes) {}

  @Property
  void holdsItsInvariantsAfterEveryAction(@ForAll("actions") List<Action> actions) {
    var ledger = new MemoryLedger(CAPACITY);
    var held = new ArrayList<Reservation>();
    for (var action : actions) {
      apply(action, ledger, held);
      checkSums(ledger, held);
    }
    held.forEach(Reservation::complete);
    checkSums(ledger, held);
    assertThat(held)
        .allSatisfy(reservation -> {
          assertThat(reservation.committed()).isCompleted();
          assertThat(reservation.actualBytes()).isEqualTo(reservation.plannedBytes());
        });
    held.forEach(Reservation::close);
    assertThat(ledger.snapshot()).isEqualTo(new MemoryLedger(CAPACITY).snapshot());
  }

  private static void apply(Action action, MemoryLedger ledger, List<Reservation> held) {
    if (action.verb() == Verb.RESERVE || held.isEmpty()) {
      long available = ledger.snapshot().availableBytes();
      switch (ledger.reserve("owner", action.bytes())) {
        case Outcome.Reserved(var reservation) -> held.add(reservation);
        case Outcome.Refused(long asked, long said) -> {
          assertThat(said).isEqualTo(available);
          assertThat(asked).isEqualTo(action.bytes()).isGreaterThan(available);
        }
      }
      return;
    }
    var target = held.get(action.target() % held.size());
    switch (action.verb()) {
      case RESERVE -> throw new AssertionError();
      case RESIZE -> {
        var before = ledger.snapshot();
        if (target.resize(action.bytes()) instanceof Outcome.Refused) {
          assertThat(ledger.snapshot()).isEqualTo(before);
        }
      }
      case COMPLETE -> target.complete();
      case CLOSE -> {
        target.close();
        held.remove(target);
      }
    }
  }

  private static void checkSums(MemoryLedger ledger, List<Reservation> held) {
    var snapshot = ledger.snapshot();
    assertThat(snapshot.plannedBytes())
        .isEqualTo(held.stream().mapToLong(Reservation::plannedBytes).sum())
        .isBetween(0L, CAPACITY);
    assertThat(snapshot.actualBytes())
        .isEqualTo(held.stream().mapToLong(Reservation::actualBytes).sum())
        .isBetween(0L, CAPACITY);
    for (var reservation : held) {
      // Usable exactly when everything planned has been committed.
      assertThat(reservation.committed().isDone())
          .isEqualTo(reservation.actualBytes() >= reservation.plannedBytes());
    }
  }

  @Provide
  Arbitrary<List<Action>> actions() {
    return Combinators.combine(
            Arbitraries.of(Verb.class),
            Arbitraries.integers().between(0, 20),
            Arbitraries.longs().between(0, CAPACITY + 10))
        .as(Action::new)
        .list()
        .ofMaxSize(60);
  }
}
