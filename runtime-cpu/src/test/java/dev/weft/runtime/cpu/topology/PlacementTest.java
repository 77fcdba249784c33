package dev.weft.runtime.cpu.topology;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.server.CpuChoice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Moves the threads of the virtual machine that runs the test, and reads in `/proc` where they
/// are.
class PlacementTest {
  private final List<Integer> before = Processors.detect().allowed();

  @AfterEach
  void everywhere() {
    Placement.confine(before);
  }

  private static String allowed(Path task) throws IOException {
    return Processors.lines(task.resolve("status")).stream()
        .filter(line -> line.startsWith("Cpus_allowed_list:"))
        .map(line -> line.substring(line.indexOf(':') + 1).strip())
        .findFirst()
        .orElse("ended");
  }

  private static Map<String, String> threads() throws IOException {
    Map<String, String> threads = new TreeMap<>();
    try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
      for (Path task : tasks.toList()) {
        threads.put(task.getFileName().toString(), allowed(task));
      }
    }
    threads.values().removeIf("ended"::equals);
    return threads;
  }

  @Test
  void threadsThatAreThereAndThoseToComeKeepToTheSet() throws IOException, InterruptedException {
    var started = new CountDownLatch(1);
    var over = new CountDownLatch(1);
    for (int cpu : List.of(before.getFirst(), before.getLast())) {
      Placement.confine(List.of(cpu));
      assertThat(threads().values()).hasSizeGreaterThan(5).containsOnly(Integer.toString(cpu));
    }
    Thread later =
        Thread.ofPlatform()
            .start(() -> {
              started.countDown();
              try {
                over.await();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
    started.await();
    assertThat(threads().values()).containsOnly(Integer.toString(before.getLast()));
    over.countDown();
    later.join();
    Placement.confine(before);
    assertThat(threads().values()).containsOnly(CpuChoice.format(before));
  }
}
