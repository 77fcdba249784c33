package dev.weft.platform.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.autoscaler.simulation.Trace;
import dev.weft.autoscaler.simulation.Trace.Call;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TraceFileTest {
  private static final long SECOND = 1_000_000_000;

  @TempDir private Path directory;

  private Path file(String text) throws IOException {
    return Files.writeString(directory.resolve("trace"), text);
  }

  @Test
  void readsFunctions() throws IOException {
    Trace trace =
        TraceFile.read(
            file(
                """
                [{"HashFunction": "a", "timestamps": [3.5], "input": [10], "output": [20]},
                 {"HashFunction": "b", "timestamps": [1.5, 4], "input": [1, 2], "output": [3, 0]}]
                """));
    assertThat(trace.functions()).containsExactly("a", "b");
    assertThat(trace.calls())
        .as("a call without an answer is left out")
        .containsExactly(new Call(0, 1, 1, 3), new Call(2 * SECOND, 0, 10, 20));
  }

  @Test
  void readsJsonLines() throws IOException {
    Trace trace =
        TraceFile.read(
            file(
                """
                {"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}
                {"timestamp": 3000, "input_length": 5, "output_length": 6, "hash_ids": []}
                """));
    assertThat(trace.calls())
        .containsExactly(new Call(0, 0, 6_758, 500), new Call(3 * SECOND, 0, 5, 6));
  }

  @Test
  void readsCommaSeparatedValues() throws IOException {
    Trace trace =
        TraceFile.read(
            file(
                """
                TIMESTAMP,ContextTokens,GeneratedTokens
                2023-11-16 18:15:46.5000000,374,44
                2023-11-16 18:16:47.5000000,396,109
                """));
    assertThat(trace.calls())
        .containsExactly(new Call(0, 0, 374, 44), new Call(61 * SECOND, 0, 396, 109));
  }

  @Test
  void saysWhatIsWrongWithAFile() throws IOException {
    assertThatThrownBy(() -> TraceFile.read(directory.resolve("none")))
        .hasMessageContaining("no file");
    assertThatThrownBy(() -> TraceFile.read(file("hello"))).hasMessageContaining("is no trace");
    assertThatThrownBy(() -> TraceFile.read(file("[]"))).hasMessageContaining("no requests");
    assertThatThrownBy(() -> TraceFile.read(file("[{\"timestamps\": [1]}]")))
        .hasMessageContaining("1 timestamps, 0 inputs");
    assertThatThrownBy(() -> TraceFile.read(file("{\"timestamp\": 1}\n")))
        .hasMessageContaining("line 1 lacks");
    assertThatThrownBy(
            () -> TraceFile.read(file("TIMESTAMP,ContextTokens,GeneratedTokens\nx,1,2\n")))
        .hasMessageContaining("line 2");
    assertThatThrownBy(() -> TraceFile.read(file("[{"))).hasMessageContaining("not JSON");
  }
}
