package dev.weft.runtime.source;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The hub's cache between processes: ours, killed ones, and those of the hub's own Python library.
class HubProcessTest {
  private static final String MODEL = "hf://acme/tiny";
  private static final byte[] WEIGHTS = SourceFixture.bytes(64 << 20, 3);

  private @TempDir Path home;
  private HubStandIn hub;

  @BeforeEach
  void start() throws IOException {
    hub = new HubStandIn().with("config.json", "{}").with("model.safetensors", WEIGHTS);
  }

  @AfterEach
  void stop() {
    hub.close();
  }

  private static String finish(Process process) throws Exception {
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    return output.strip();
  }

  @Test
  void processesDownloadOnceAndInLittleMemory() throws Exception {
    hub.pauseMillis = 1;
    // A heap of half the file's size: the file cannot be in it.
    Process one = FetchProcess.start(home, hub, MODEL, "-Xmx32m", "-XX:MaxDirectMemorySize=16m");
    Process two = FetchProcess.start(home, hub, MODEL, "-Xmx32m", "-XX:MaxDirectMemorySize=16m");
    assertThat(finish(one)).isEqualTo(finish(two));
    assertThat(hub.contentRequests()).hasSize(1);
  }

  @Test
  void whatAKilledProcessLeftIsGoneOnFrom() throws Exception {
    hub.pauseMillis = 2;
    Process killed = FetchProcess.start(home, hub, MODEL);
    Path part =
        home.resolve("hf/hub/models--acme--tiny/blobs")
            .resolve(HubStandIn.hash("model.safetensors", WEIGHTS) + ".weft.incomplete");
    while (!Files.exists(part) || Files.size(part) < 4 << 20) {
      assertThat(killed.isAlive()).isTrue();
      Thread.onSpinWait();
    }
    killed.destroyForcibly().waitFor();
    hub.pauseMillis = 0;

    Path model = new SourceFixture(home).withHub(hub).fetch(MODEL).path();
    assertThat(model.resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(Objects.requireNonNull(hub.contentRequests().getLast().range()))
        .matches("bytes=\\d{7,}-");
  }

  /// Runs Python code with the hub's library against the stand-in and the shared cache.
  private String python(String code) throws Exception {
    String python = System.getenv().getOrDefault("WEFT_TEST_PYTHON", "python3");
    ProcessBuilder builder = new ProcessBuilder(List.of(python, "-c", code));
    builder.redirectErrorStream(true);
    Map<String, String> environment = builder.environment();
    environment.put("HF_ENDPOINT", hub.endpoint());
    environment.put("HF_HOME", home.resolve("hf").toString());
    environment.put("HF_HUB_DISABLE_XET", "1");
    environment.put("HF_HUB_DISABLE_TELEMETRY", "1");
    environment.put("HF_HUB_DISABLE_PROGRESS_BARS", "1");
    try {
      Process process = builder.start();
      String output = new String(process.getInputStream().readAllBytes(), UTF_8).strip();
      Assumptions.assumeFalse(
          output.contains("No module named 'huggingface_hub'"), "huggingface_hub is not installed");
      assertThat(process.waitFor()).as(output).isZero();
      return output.lines().toList().getLast();
    } catch (IOException e) {
      return Assumptions.abort("no python3: " + e.getMessage());
    }
  }

  @Test
  void theHubsOwnLibraryReadsWhatWasFetched() throws Exception {
    Path model = new SourceFixture(home).withHub(hub).fetch(MODEL).path();
    assertThat(
            python(
                """
                import huggingface_hub
                print(huggingface_hub.snapshot_download("acme/tiny", local_files_only=True))
                """))
        .isEqualTo(model.toString());
    assertThat(
            python(
                """
                import huggingface_hub
                print(huggingface_hub.hf_hub_download("acme/tiny", "model.safetensors"))
                """))
        .isEqualTo(model.resolve("model.safetensors").toString());
    assertThat(hub.contentRequests()).hasSize(1);
  }

  @Test
  void whatTheHubsOwnLibraryFetchedIsNotFetchedAgain() throws Exception {
    String path =
        python(
            """
            import huggingface_hub
            print(huggingface_hub.snapshot_download("acme/tiny"))
            """);
    int asked = hub.contentRequests().size();
    assertThat(new SourceFixture(home).withHub(hub).fetch(MODEL).path()).hasToString(path);
    assertThat(hub.contentRequests()).hasSize(asked);
  }
}
