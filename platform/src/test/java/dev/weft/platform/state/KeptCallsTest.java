package dev.weft.platform.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.functions.Function;
import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.platform.control.Demand;
import dev.weft.platform.control.KeptCalls;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import org.flywaydb.core.Flyway;
import org.h2.jdbcx.JdbcDataSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a platform knows of the times between calls, the next one knows too.
class KeptCallsTest {
  private static final FunctionName REGULAR = new FunctionName("regular");
  private static final FunctionName DELETED = new FunctionName("deleted");
  private static final Duration MINUTE = Duration.ofMinutes(1);

  @TempDir Path directory;

  /// The database as a process finds it that has just been started.
  private Database database() {
    JdbcDataSource source = new JdbcDataSource();
    source.setURL("jdbc:h2:file:%s/weft;WRITE_DELAY=0".formatted(directory));
    source.setUser("weft");
    source.setPassword("");
    Flyway.configure().dataSource(source).load().migrate();
    return new Database(source);
  }

  private static void deploy(FunctionStore functions, FunctionName name) {
    functions.deploy(
        Function.of(
            name, FunctionSpec.of(new Model(null, List.of(ModelSource.of("file:/m")), null))),
        Instant.EPOCH);
  }

  @Test
  void aRestartForgetsNothing() {
    Database first = database();
    FunctionStore functions = new DatabaseFunctionStore(first);
    deploy(functions, REGULAR);
    deploy(functions, DELETED);
    Demand before = new Demand();
    KeptCalls kept = new KeptCalls(before, new CallsTable(first));
    kept.open();
    Instant now = Instant.parse("2026-05-01T10:00:00Z");
    for (int i = 0; i < 6; i++) {
      now = now.plus(MINUTE);
      before.called(REGULAR, now);
      before.called(DELETED, now);
    }
    kept.close();
    functions.delete(DELETED, now);

    Database second = database();
    Demand after = new Demand();
    KeptCalls found = new KeptCalls(after, new CallsTable(second));
    found.open();
    for (Duration ahead : List.of(Duration.ofSeconds(55), MINUTE, Duration.ofSeconds(100))) {
      assertThat(after.soon(REGULAR, ahead, now))
          .isCloseTo(before.soon(REGULAR, ahead, now), within(1e-9));
    }
    assertThat(after.soon(REGULAR, MINUTE.multipliedBy(2), now)).isEqualTo(1);
    assertThat(after.soon(DELETED, MINUTE.multipliedBy(2), now)).isZero();

    after.called(REGULAR, now.plus(MINUTE));
    found.close();
    assertThat(Objects.requireNonNull(new CallsTable(database()).all().get(REGULAR)).lastNanos())
        .as("what came since is kept as well")
        .isEqualTo(Duration.between(Instant.EPOCH, now.plus(MINUTE)).toNanos());
  }

  @Test
  void whatWasNeverOpenedIsClosedInPeace() {
    new KeptCalls(new Demand(), new CallsTable(database())).close();
  }
}
