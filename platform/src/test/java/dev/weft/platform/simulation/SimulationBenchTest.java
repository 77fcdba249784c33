package dev.weft.platform.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.functions.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SimulationBenchTest {
  @TempDir private Path directory;

  private String[] arguments(String... parts) throws IOException {
    Path traces = Files.createDirectories(directory.resolve("traces"));
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 60; i++) {
      lines.append(
          "{\"timestamp\": %d, \"input_length\": %d, \"output_length\": %d}\n"
              .formatted(500 * i, 100 + i, 20 + i));
    }
    Files.writeString(traces.resolve("main.jsonl"), lines);
    Files.writeString(traces.resolve("other.jsonl"), lines);
    String[] all = new String[4 + parts.length];
    all[0] = traces.toString();
    all[1] = "main.jsonl";
    all[2] = directory.resolve("results").toString();
    all[3] = "2";
    System.arraycopy(parts, 0, all, 4, parts.length);
    return all;
  }

  @Test
  void writesTablesFiguresAndOnePage() throws IOException {
    SimulationBench.main(arguments("forecast", "traces", "table"));
    Path results = directory.resolve("results");
    JsonNode json = Json.mapper().readTree(results.resolve("simulate.json").toFile());
    assertThat(json.path("cases")).hasSize(5 + 45);
    JsonNode last = json.path("cases").path(49);
    assertThat(last.path("part").asText()).isEqualTo("table");
    assertThat(last.path("seeds")).hasSize(2);
    assertThat(last.path("seeds").path(0).path("decisions").path("created").asInt()).isPositive();
    assertThat(json.path("forecasts")).hasSize(16);
    assertThat(Files.readString(results.resolve("results.md")))
        .contains("## traces", "other.jsonl", "## forecast", "bounded by max_tokens");
    assertThat(Files.readString(results.resolve("report.html")))
        .contains("<svg", "prefers-color-scheme: dark", "7B: SLO met", "where requests waited")
        .as("needs nothing else")
        .doesNotContain("src=", "http://", "https://", "<link", "@import");
  }

  @Test
  void aPartThatIsNotThereIsRefused() {
    assertThatThrownBy(() -> SimulationBench.main(arguments("magic")))
        .hasMessageContaining("no part magic");
    assertThatThrownBy(() -> SimulationBench.main(new String[1]))
        .hasMessageContaining("MAIN_TRACE");
  }
}
