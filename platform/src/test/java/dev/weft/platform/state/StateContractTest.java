package dev.weft.platform.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.within;

import dev.weft.functions.Function;
import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.control.Calls;
import dev.weft.platform.control.Demand;
import dev.weft.platform.control.DeployedFunction;
import dev.weft.platform.control.FunctionDirectory;
import dev.weft.platform.control.KeptCalls;
import dev.weft.platform.keys.ApiKey;
import dev.weft.platform.keys.Scope;
import dev.weft.platform.keys.Secret;
import dev.weft.platform.telemetry.Invocation;
import dev.weft.platform.telemetry.Invocation.WorkflowPlace;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What holds in each database: what was committed is found by the next process.
abstract class StateContractTest {
  static final Instant NOW = Instant.parse("2026-05-01T10:00:00Z");
  static final FunctionName NAME = new FunctionName("f");
  private static final FunctionName DELETED = new FunctionName("deleted");
  private static final Duration MINUTE = Duration.ofMinutes(1);

  @TempDir Path directory;

  private final SimpleMeterRegistry metrics = new SimpleMeterRegistry();
  private Database database;

  /// This test's database as a process finds it that has just been started.
  abstract Database open();

  @BeforeEach
  final void begin() {
    database = open();
  }

  private static Function function(FunctionName name, String source) {
    return Function.of(
        name, FunctionSpec.of(new Model(null, List.of(ModelSource.of("file:///" + source)), null)));
  }

  private static Function function(String source) {
    return function(NAME, source);
  }

  @Test
  void restartFindsFunctionsAndKeysAsTheyWere() {
    new DatabaseFunctionStore(database).deploy(function("a"), NOW);
    DeployedFunction before =
        new DatabaseFunctionStore(database).deploy(function("b"), NOW).function();
    ApiKey key = new ApiKey("key_1", "one", Set.of(Scope.INVOKE, Scope.ADMIN), Set.of(NAME), NOW);
    ApiKey wide = new ApiKey("key_2", "two", Set.of(Scope.INVOKE), null, NOW.plusSeconds(1));
    Secret.Hash hash = Secret.hash("weft_secret");
    new DatabaseKeyStore(database).insert(hash, key);
    new DatabaseKeyStore(database).insert(Secret.hash("other"), wide);

    Database again = open();
    assertThat(new DatabaseFunctionStore(again).all()).containsExactly(before);
    assertThat(new DatabaseKeyStore(again).all().values()).containsExactly(key, wide);
    assertThat(new DatabaseKeyStore(again).all().get(hash)).isEqualTo(key);
  }

  @Test
  void revisionsAreBoundedAndTheActiveOneStays() {
    FunctionStore store = new DatabaseFunctionStore(database);
    for (int i = 1; i <= DatabaseFunctionStore.MAX_REVISIONS + 5; i++) {
      store.deploy(function("v" + i), NOW);
    }
    DeployedFunction function = store.all().getFirst();
    assertThat(function.revisions()).hasSize(DatabaseFunctionStore.MAX_REVISIONS);
    assertThat(function.active().id())
        .isEqualTo(new RevisionId(NAME, DatabaseFunctionStore.MAX_REVISIONS + 5));
    assertThat(store.activate(NAME, 1, NOW)).as("gone").isEmpty();
    assertThat(store.activate(NAME, 50, NOW)).isPresent();
  }

  @Test
  void workThatFailsLeavesNothing() {
    assertThatExceptionOfType(DatabaseException.class)
        .isThrownBy(() ->
            database.inTransaction(connection -> {
              Database.update(
                  connection,
                  "INSERT INTO function VALUES ('g', '{}', 1, NULL, ?, ?)",
                  Database.utc(NOW),
                  Database.utc(NOW));
              throw new SQLException("no");
            }));
    List<String> names =
        database.inTransaction(connection ->
            Database.query(connection, "SELECT name FROM function", row -> row.getString(1)));
    assertThat(names).isEmpty();
  }

  @Test
  void aDeletedFunctionComesBackWithItsNumbersGoingOn() {
    FunctionStore store = new DatabaseFunctionStore(database);
    store.deploy(function("a"), NOW);
    assertThat(store.deploy(function("a"), NOW).change()).isEqualTo(FunctionStore.Change.UNCHANGED);
    assertThat(store.delete(NAME, NOW)).isTrue();
    assertThat(store.delete(NAME, NOW)).isFalse();
    assertThat(store.all()).isEmpty();
    FunctionStore.Deployment again = store.deploy(function("a"), NOW.plusSeconds(1));
    assertThat(again.change()).isEqualTo(FunctionStore.Change.CREATED);
    assertThat(again.function().active().id()).isEqualTo(new RevisionId(NAME, 2));
    assertThat(again.function().createdAt()).isEqualTo(NOW.plusSeconds(1));
  }

  @Test
  void whatTheDatabaseRefusesIsNotThatItIsAway() {
    assertThatExceptionOfType(DatabaseException.class)
        .isThrownBy(() ->
            database.inTransaction(
                connection -> Database.update(connection, "INSERT INTO no_such_table VALUES (1)")))
        .withMessageContaining("the database refused")
        .matches(e -> !e.away());
    assertThat(new DatabaseKeyStore(database).all()).as("it can be used as before").isEmpty();
  }

  final InvocationJournal journal(int maxRows) {
    WeftConfig config =
        new SmallRyeConfigBuilder()
            .addDiscoveredConverters()
            .withMapping(WeftConfig.class)
            .withSources(
                new PropertiesConfigSource(
                    Map.of(
                        "weft.home",
                        directory.toString(),
                        "weft.invocations.max-rows",
                        Integer.toString(maxRows),
                        "weft.invocations.max-age",
                        "P1D"),
                    "test",
                    100))
            .build()
            .getConfigMapping(WeftConfig.class);
    return new InvocationJournal(database, config, metrics);
  }

  final double lost() {
    return metrics.get("weft.invocations.lost").counter().count();
  }

  static Invocation invocation(int index, Instant at) {
    return invocation(NAME, index, at);
  }

  private static Invocation invocation(FunctionName name, int index, Instant at) {
    return new Invocation(
        "req_" + index,
        name,
        new RevisionId(name, 1),
        new DeviceId("cpu-0"),
        "chat",
        200,
        null,
        "key_1",
        new WorkflowPlace("w", null, "p"),
        at,
        Duration.ofMillis(1),
        Duration.of(1_234, ChronoUnit.MICROS),
        Duration.ofMillis(20),
        new Invocation.Tokens(3, 4));
  }

  @Test
  void invocationsAreReadAsTheyWereWritten() {
    InvocationJournal journal = journal(100);
    journal.write(List.of(invocation(1, NOW), invocation(2, NOW)));
    assertThat(journal.recent(NAME, 10)).containsExactly(invocation(2, NOW), invocation(1, NOW));
  }

  @Test
  void theLongestNamesOfOtherNamespacesAreKept() {
    FunctionName name = FunctionName.in("n".repeat(63), "f".repeat(63));
    InvocationJournal journal = journal(100);
    journal.write(List.of(invocation(name, 1, NOW), invocation(2, NOW)));
    assertThat(journal.recent(name, 10)).containsExactly(invocation(name, 1, NOW));
    CallsTable calls = new CallsTable(database);
    calls.keep(Map.of(name, new Calls(7, List.of(1.0))));
    assertThat(calls.of(Set.of(name))).containsExactly(Map.entry(name, new Calls(7, List.of(1.0))));
  }

  @Test
  void aBatchThatComesTwiceIsWrittenOnce() {
    InvocationJournal journal = journal(100);
    journal.take("a", List.of(invocation(1, NOW), invocation(2, NOW)), NOW);
    journal.take("a", List.of(invocation(1, NOW), invocation(2, NOW)), NOW);
    journal.take("b", List.of(invocation(3, NOW)), NOW);
    assertThat(journal.recent(NAME, 10))
        .containsExactly(invocation(3, NOW), invocation(2, NOW), invocation(1, NOW));
  }

  @Test
  void whoReadsSeesWhatWasRecordedBefore() {
    InvocationJournal journal = journal(100);
    journal.record(invocation(1, NOW));
    assertThat(journal.recent(NAME, 10)).containsExactly(invocation(1, NOW));
  }

  @Test
  void invocationsBeyondNumberAndAgeGo() {
    InvocationJournal journal = journal(10);
    journal.write(List.of(invocation(0, NOW.minus(Duration.ofDays(2)))));
    journal.write(IntStream.rangeClosed(1, 30).mapToObj(i -> invocation(i, NOW)).toList());
    journal.prune(NOW);
    assertThat(journal.recent(NAME, 1_000))
        .extracting(Invocation::requestId)
        .hasSize(10)
        .startsWith("req_30")
        .endsWith("req_21");
  }

  @Test
  void invocationsGoByAge() {
    InvocationJournal journal = journal(10);
    Instant old = NOW.minus(Duration.ofDays(2));
    journal.write(List.of(invocation(1, old), invocation(2, old), invocation(3, NOW)));
    journal.prune(NOW);
    assertThat(journal.recent(NAME, 10)).containsExactly(invocation(3, NOW));
    journal.prune(NOW.plus(Duration.ofDays(2)));
    assertThat(journal.recent(NAME, 10)).isEmpty();
  }

  @Test
  void closingWritesWhatIsQueued() {
    InvocationJournal journal = journal(100);
    journal.open();
    for (int i = 0; i < 20; i++) {
      journal.record(invocation(i, Instant.now()));
    }
    journal.close();
    assertThat(journal.recent(NAME, 100)).hasSize(20);
    assertThat(lost()).isZero();
  }

  /// What a process does that knows these functions.
  private static KeptCalls kept(Demand demand, Database database, FunctionStore functions) {
    FunctionDirectory directory = new FunctionDirectory();
    directory.publish(functions.all());
    return new KeptCalls(demand, new CallsTable(database), directory);
  }

  @Test
  void whenFunctionsWereCalledIsKnownToTheNextProcess() {
    FunctionStore functions = new DatabaseFunctionStore(database);
    functions.deploy(function(NAME, "a"), NOW);
    functions.deploy(function(DELETED, "a"), NOW);
    Demand before = new Demand();
    KeptCalls kept = kept(before, database, functions);
    kept.open();
    Instant now = NOW;
    for (int i = 0; i < 6; i++) {
      now = now.plus(MINUTE);
      before.called(NAME, now);
      before.called(DELETED, now);
    }
    kept.close();
    functions.delete(DELETED, now);

    Database second = open();
    Demand after = new Demand();
    KeptCalls found = kept(after, second, new DatabaseFunctionStore(second));
    found.open();
    for (Duration ahead : List.of(Duration.ofSeconds(55), MINUTE, Duration.ofSeconds(100))) {
      assertThat(after.soon(NAME, ahead, now))
          .isCloseTo(before.soon(NAME, ahead, now), within(1e-9));
    }
    assertThat(after.soon(NAME, MINUTE.multipliedBy(2), now)).isEqualTo(1);
    assertThat(after.soon(DELETED, MINUTE.multipliedBy(2), now)).isZero();

    after.called(NAME, now.plus(MINUTE));
    found.close();
    Map<FunctionName, Calls> all = new CallsTable(open()).of(Set.of(NAME, DELETED));
    assertThat(all.keySet()).containsExactly(NAME);
    assertThat(Objects.requireNonNull(all.get(NAME)).lastNanos())
        .as("what came since is kept as well")
        .isEqualTo(Duration.between(Instant.EPOCH, now.plus(MINUTE)).toNanos());
  }
}
