package dev.weft.bench.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BenchRunTest {
  @TempDir private Path directory;
  private Path work = Path.of("");

  @BeforeEach
  void write() throws IOException {
    work = directory.resolve("work");
    Files.createDirectories(work.resolve("home/packed"));
    Files.writeString(work.resolve("home/packed/weights"), "many");
  }

  private BenchRun run(BenchRun.Body body) throws IOException, InterruptedException {
    Results results = new Results("Measured", directory.resolve("results"), List.of("one"));
    BenchRun run = new BenchRun(Machine.detect(1), results, Map.of());
    run.part("one", "One", body);
    run.clear(work);
    return run;
  }

  @Test
  void whatServersWroteIsRemoved() throws IOException, InterruptedException {
    assertThat(run(_ -> {}).whole()).isTrue();
    assertThat(work).doesNotExist();
  }

  @Test
  void whatFailedKeepsItsLogs() throws IOException, InterruptedException {
    BenchRun run =
        run(_ -> {
          throw new IOException("no server");
        });
    assertThat(run.whole()).isFalse();
    assertThat(work.resolve("home/packed/weights")).exists();
  }
}
