package dev.weft.platform.state;

import static org.assertj.core.api.Assertions.assertThatCode;

import dev.weft.platform.control.Demand;
import dev.weft.platform.control.FunctionDirectory;
import dev.weft.platform.control.KeptCalls;
import org.flywaydb.core.Flyway;
import org.h2.jdbcx.JdbcDataSource;
import org.junit.jupiter.api.Test;

/// The embedded database, on a real file. It is closed with its last connection, so each [#open]
/// reads it anew.
final class EmbeddedStateTest extends StateContractTest {
  @Override
  Database open() {
    JdbcDataSource source = new JdbcDataSource();
    source.setURL("jdbc:h2:file:%s/weft;WRITE_DELAY=0".formatted(directory));
    source.setUser("weft");
    source.setPassword("");
    return new Database(() -> source, () -> Flyway.configure().dataSource(source).load().migrate());
  }

  @Test
  void whatWasNeverOpenedIsClosedInPeace() {
    KeptCalls kept = new KeptCalls(new Demand(), new CallsTable(open()), new FunctionDirectory());
    assertThatCode(kept::close).doesNotThrowAnyException();
  }
}
