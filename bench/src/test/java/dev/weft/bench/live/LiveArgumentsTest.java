package dev.weft.bench.live;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LiveArgumentsTest {
  @TempDir private Path directory;
  private String trace = "";

  @BeforeEach
  void trace() throws IOException {
    trace = Files.createFile(directory.resolve("trace.csv")).toString();
  }

  private LiveArguments parse(String line) {
    return LiveArguments.parse(
        Stream.concat(Stream.of(trace), Stream.of(line.split(" ", -1)))
            .filter(word -> !word.isEmpty())
            .toArray(String[]::new));
  }

  @Test
  void aTraceIsEnough() {
    LiveArguments arguments = parse("");
    assertThat(arguments.trace()).hasToString(trace);
    assertThat(arguments.rounds()).isEqualTo(3);
    assertThat(arguments.parts()).containsExactly("live", "slow");
    assertThat(arguments.cpus()).containsExactly("0", "1");
    assertThat(arguments.render()).isEmpty();
  }

  @Test
  void everythingCanBeChosen() {
    LiveArguments arguments =
        parse("5 --only slow --seconds 30 --pace 1.5 --shorter 4 --cpus 0-3;4-7 --results /tmp/r");
    assertThat(arguments.rounds()).isEqualTo(5);
    assertThat(arguments.parts()).containsExactly("slow");
    assertThat(arguments.seconds()).isEqualTo(30);
    assertThat(arguments.pace()).isEqualTo(1.5);
    assertThat(arguments.shorter()).isEqualTo(4);
    assertThat(arguments.cpus()).containsExactly("0-3", "4-7");
    assertThat(arguments.results()).contains(Path.of("/tmp/r"));
  }

  @Test
  void aReportNeedsNoTrace() {
    assertThat(LiveArguments.parse(new String[] {"--render", "/tmp/r"}).render())
        .contains(Path.of("/tmp/r"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0",
        "many",
        "2 3",
        "--only fast",
        "--seconds 0",
        "--pace 0",
        "--pace fast",
        "--cpus"
      })
  void whatMakesNoSenseIsRefused(String line) {
    assertThatThrownBy(() -> parse(line)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aTraceThatIsNotThereIsRefused() {
    assertThatThrownBy(() -> LiveArguments.parse(new String[] {"/none.csv"}))
        .hasMessageContaining("/none.csv");
    assertThatThrownBy(() -> LiveArguments.parse(new String[0])).hasMessageContaining("trace");
  }
}
