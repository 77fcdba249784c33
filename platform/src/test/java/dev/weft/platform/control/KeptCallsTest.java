package dev.weft.platform.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// What becomes of the times between calls while the store is away. That it survives a restart is
/// the store's contract.
class KeptCallsTest {
  private static final FunctionName F = new FunctionName("f");
  private static final Duration MINUTE = Duration.ofMinutes(1);

  private final Store store = new Store();
  private final Demand demand = new Demand();
  private final FunctionDirectory directory = new FunctionDirectory();
  private final KeptCalls kept = new KeptCalls(demand, store, directory);
  private Instant now = Instant.parse("2026-05-01T10:00:00Z");

  /// One that can be away.
  private static final class Store implements CallsStore {
    final Map<FunctionName, Calls> rows = new HashMap<>();
    boolean away;

    @Override
    public Map<FunctionName, Calls> of(Set<FunctionName> functions) {
      check();
      rows.keySet().retainAll(functions);
      return Map.copyOf(rows);
    }

    @Override
    public void keep(Map<FunctionName, Calls> calls) {
      check();
      rows.putAll(calls);
    }

    private void check() {
      if (away) {
        throw new IllegalStateException("away");
      }
    }
  }

  private static DeployedFunction deployed(FunctionName name) {
    FunctionSpec spec =
        FunctionSpec.of(new Model(null, List.of(ModelSource.of("file:///m")), null));
    List<Revision> revisions = List.of(new Revision(new RevisionId(name, 1), spec, Instant.EPOCH));
    return new DeployedFunction(name, Map.of(), 1, revisions, Instant.EPOCH, Instant.EPOCH);
  }

  private void call(Demand of, int times) {
    for (int i = 0; i < times; i++) {
      now = now.plus(MINUTE);
      of.called(F, now);
    }
  }

  /// What another process has left behind.
  private void before(int calls) {
    Demand earlier = new Demand();
    call(earlier, calls);
    store.rows.putAll(earlier.calls(Set.of(F)));
  }

  private double sumOfGaps() {
    return Objects.requireNonNull(store.rows.get(F)).gaps().stream()
        .mapToDouble(Double::doubleValue)
        .sum();
  }

  @Test
  void whatCannotBeReadAtFirstIsReadLaterAndNotOverwritten() {
    directory.publish(List.of(deployed(F)));
    before(6);
    double known = sumOfGaps();
    store.away = true;
    kept.open();
    call(demand, 2);
    assertThat(demand.soon(F, MINUTE.multipliedBy(2), now)).as("too little is known").isZero();
    kept.keep();
    assertThat(sumOfGaps()).isEqualTo(known);

    store.away = false;
    kept.keep();
    assertThat(demand.soon(F, MINUTE.multipliedBy(2), now)).isEqualTo(1);
    assertThat(sumOfGaps()).isGreaterThan(known);
    kept.close();
  }

  @Test
  void whatCannotBeWrittenIsWrittenLater() {
    directory.publish(List.of(deployed(F)));
    kept.open();
    call(demand, 3);
    store.away = true;
    kept.keep();
    assertThat(store.rows).isEmpty();
    store.away = false;
    kept.keep();
    assertThat(Objects.requireNonNull(store.rows.get(F)).lastNanos())
        .isEqualTo(Duration.between(Instant.EPOCH, now).toNanos());
    kept.close();
  }

  @Test
  void whatIsKnownOfFunctionsThatAreNoMoreIsForgotten() {
    before(6);
    kept.open();
    assertThat(store.rows).isEmpty();
    assertThat(demand.soon(F, MINUTE.multipliedBy(2), now)).isZero();
    kept.close();
  }
}
