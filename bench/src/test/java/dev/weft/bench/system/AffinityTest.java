package dev.weft.bench.system;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.bench.Subprocess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// In a process of its own, since it cannot be undone.
class AffinityTest {
  /// Restricts itself, and prints what it may use and what a child of it may.
  static final class Restricted {
    private Restricted() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
      Affinity.restrict(arguments[0]);
      String child = Subprocess.output(List.of("grep", "Cpus_allowed_list", "/proc/self/status"));
      System.out.println(Runtime.getRuntime().availableProcessors() + " " + child.strip());
    }
  }

  private static List<String> command(String processors) {
    return Subprocess.java(List.of(), Restricted.class, List.of(processors));
  }

  /// One that this process may use: it may itself be restricted.
  private static String aProcessor() throws IOException {
    String allowed =
        Files.readAllLines(Path.of("/proc/self/status")).stream()
            .filter(line -> line.startsWith("Cpus_allowed_list"))
            .findFirst()
            .orElseThrow();
    return allowed.replaceFirst(".*?([0-9]+).*", "$1");
  }

  @Test
  void aProcessAndItsChildrenKeepToTheirProcessors() throws Exception {
    String processor = aProcessor();
    assertThat(Subprocess.output(command(processor)).strip())
        .matches("1 Cpus_allowed_list:\\s+" + processor);
  }

  @Test
  void processorsThatAreNotThereAreAnError() throws Exception {
    Process process = new ProcessBuilder(command("100000")).start();
    assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
    assertThat(process.exitValue()).isNotZero();
    assertThat(new String(process.getErrorStream().readAllBytes(), UTF_8)).contains("taskset");
  }
}
