package dev.weft.platform.management;

import static dev.weft.platform.stub.PlatformClient.await;
import static dev.weft.platform.stub.PlatformClient.chat;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.platform.stub.PlatformClient;
import dev.weft.platform.stub.PlatformClient.Reply;
import dev.weft.platform.stub.PlatformTest;
import io.quarkus.test.junit.QuarkusTest;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/// Deploying, rolling back, deleting; keys; devices, logs and the status stream.
@QuarkusTest
class ManagementApiTest extends PlatformTest {
  @Test
  void deployMakesARevisionOnlyWhenTheSpecChanges() {
    Reply first = client().deploy("versions", "quick", "");
    assertThat(first.status()).isEqualTo(201);
    assertThat(first.json().path("change").asText()).isEqualTo("created");
    assertThat(first.json().at("/function/revision").asText()).isEqualTo("versions-00001");
    assertThat(first.json().at("/function/kind").asText()).isEqualTo("generation");
    Reply again = client().deploy("versions", "quick", "");
    assertThat(again.status()).isEqualTo(200);
    assertThat(again.json().path("change").asText()).isEqualTo("unchanged");
    Reply changed = client().deploy("versions", "quick", "limits: {maxOutputTokens: 5}");
    assertThat(changed.json().at("/function/revision").asText()).isEqualTo("versions-00002");
    JsonNode revisions = client().get("/api/v1/functions/versions/revisions").json();
    assertThat(revisions.path("active").asText()).isEqualTo("versions-00002");
    assertThat(revisions.path("revisions").size()).isEqualTo(2);
    assertThat(revisions.at("/revisions/0/spec/limits/maxOutputTokens").isMissingNode()).isTrue();
  }

  @Test
  void rollbackMakesAnEarlierRevisionAnswer() {
    client().warm("back", "quick-1");
    client().warm("back", "quick-2");
    Reply rolled = client().post("/api/v1/functions/back/rollback", "");
    assertThat(rolled.status()).as(rolled.body()).isEqualTo(200);
    assertThat(rolled.json().path("revision").asText()).isEqualTo("back-00001");
    await(() -> {
      client().post("/v1/chat/completions", chat("back", "hello"));
      return client().stats().at("/lastHeaders/weft-revision").asText().equals("back-00001");
    });
    assertThat(client().post("/api/v1/functions/back/rollback", "").status()).isEqualTo(409);
    assertThat(
            client()
                .post("/api/v1/functions/back/rollback", "{\"revision\":2}")
                .json()
                .path("revision")
                .asText())
        .isEqualTo("back-00002");
    assertThat(client().post("/api/v1/functions/back/rollback", "{\"revision\":9}").status())
        .isEqualTo(404);
  }

  @Test
  void deletedFunctionIsUnloadedAndItsNumbersGoOn() {
    client().warm("mortal", "quick");
    assertThat(client().send("DELETE", "/api/v1/functions/mortal", "").status()).isEqualTo(204);
    assertThat(client().get("/api/v1/functions/mortal").status()).isEqualTo(404);
    assertThat(client().post("/v1/chat/completions", chat("mortal", "x")).status()).isEqualTo(404);
    assertThat(client().send("DELETE", "/api/v1/functions/mortal", "").status()).isEqualTo(404);
    await(() -> !readyInstances().contains("mortal-00001"));
    Reply again = client().deploy("mortal", "quick", "");
    assertThat(again.status()).isEqualTo(201);
    assertThat(again.json().at("/function/revision").asText()).isEqualTo("mortal-00002");
  }

  private String readyInstances() {
    StringBuilder ready = new StringBuilder();
    client()
        .get("/api/v1/devices")
        .json()
        .at("/devices/0/status/instances")
        .forEach(instance -> {
          if (instance.path("tier").asText().equals("ready")) {
            ready.append(instance.path("revision").asText()).append(' ');
          }
        });
    return ready.toString();
  }

  @Test
  void whatNoDeviceCanRunIsRefusedWithTheReason() {
    Reply huge = client().deploy("giant", "huge", "");
    assertThat(huge.status()).isEqualTo(400);
    assertThat(huge.error().path("code").asText()).isEqualTo("never_fits");
    assertThat(huge.error().path("message").asText())
        .contains("needs 2.0 GiB, the device has 1.0 GiB");
    Reply fp8 = client().deploy("giant", "quick", "quantization: fp8");
    assertThat(fp8.status()).isEqualTo(400);
    assertThat(fp8.error().path("code").asText()).isEqualTo("unsupported");
    assertThat(client().get("/api/v1/functions/giant").status()).isEqualTo(404);
  }

  @Test
  void manifestThatCannotBeMeantNamesThePlace() {
    Reply reply = client().deploy("typo", "quick", "scalling: {min: 1}");
    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.error().path("code").asText()).isEqualTo("invalid_manifest");
    assertThat(reply.error().path("param").asText()).contains("scalling");
    assertThat(client().post("/api/v1/functions", "").status()).isEqualTo(400);
    assertThat(client().post("/api/v1/functions", "{\"kind\":").status()).isEqualTo(400);
    assertThat(client().send("PUT", "/api/v1/functions/other", manifest("one")).status())
        .isEqualTo(400);
    assertThat(client().send("PUT", "/api/v1/functions/one", manifest("one")).status())
        .isEqualTo(201);
  }

  private static String manifest(String name) {
    return "{\"apiVersion\":\"weft.dev/v1alpha1\",\"kind\":\"Function\",\"metadata\":{\"name\":\"%s\"},\"spec\":{\"model\":{\"sources\":[\"file:///stub/quick\"]}}}"
        .formatted(name);
  }

  @Test
  void pinnedFunctionIsLoadedWithoutACall() {
    client().deploy("pinned", "quick", "scaling: {min: 1, keepAlive: 100ms}");
    await(() -> client().tier("pinned").equals("ready"));
    JsonNode status = client().get("/api/v1/functions/pinned").json().path("status");
    assertThat(status.at("/conditions/0/type").asText()).isEqualTo("Ready");
    assertThat(status.at("/conditions/0/status").asText()).isEqualTo("true");
    assertThat(status.at("/instances/0/pinned").asBoolean()).isTrue();
  }

  @Test
  void keysHaveScopesAndFunctionsAndEndWhenRevoked() throws IOException {
    client().deployed("mine", "quick");
    client().deployed("yours", "quick");
    Reply made =
        client()
            .post(
                "/api/v1/keys",
                "{\"name\":\"app\",\"scopes\":[\"invoke\"],\"functions\":[\"mine\"]}");
    assertThat(made.status()).isEqualTo(201);
    String secret = made.json().path("secret").asText();
    assertThat(secret).matches("weft_[0-9A-Za-z]{43}");
    PlatformClient app = client().withKey(secret);
    assertThat(app.post("/v1/chat/completions", chat("mine", "hello")).status()).isEqualTo(200);
    assertThat(app.post("/v1/chat/completions", chat("yours", "hello")).status()).isEqualTo(404);
    assertThat(app.get("/v1/models").body()).contains("mine").doesNotContain("yours");
    assertThat(app.get("/api/v1/functions").status()).isEqualTo(403);
    assertThat(app.get("/metrics").status()).isEqualTo(403);
    String admin =
        client()
            .post("/api/v1/keys", "{\"name\":\"ops\",\"scopes\":[\"admin\"]}")
            .json()
            .path("secret")
            .asText();
    assertThat(client().withKey(admin).get("/api/v1/functions").status()).isEqualTo(200);
    assertThat(client().withKey(admin).post("/v1/chat/completions", chat("mine", "hello")).status())
        .isEqualTo(403);
    assertThat(client().get("/api/v1/keys").body()).contains("app").doesNotContain(secret);
    String id = made.json().at("/key/id").asText();
    assertThat(client().send("DELETE", "/api/v1/keys/" + id, "").status()).isEqualTo(204);
    assertThat(app.post("/v1/chat/completions", chat("mine", "hello")).status()).isEqualTo(401);
    assertThat(client().send("DELETE", "/api/v1/keys/" + id, "").status()).isEqualTo(404);
    assertNowhereInTheClear(secret);
  }

  /// Searches everything the platform has written.
  private void assertNowhereInTheClear(String secret) throws IOException {
    try (var files = Files.walk(home())) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        assertThat(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1))
            .as(file.toString())
            .doesNotContain(secret);
      }
    }
  }

  @Test
  void secretsAreReadableByTheirOwnerAlone() throws IOException {
    for (String file : new String[] {"keys/default", "run/runtimes/cpu-0.secret"}) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(home().resolve(file))))
          .isEqualTo("rw-------");
    }
  }

  @Test
  void keyRequestsThatCannotBeMeantAreRefused() {
    assertThat(client().post("/api/v1/keys", "{}").status()).isEqualTo(400);
    assertThat(client().post("/api/v1/keys", "{\"name\":\"x\",\"scopes\":[]}").status())
        .isEqualTo(400);
    assertThat(client().post("/api/v1/keys", "{\"name\":\"x\",\"scopes\":[\"root\"]}").status())
        .isEqualTo(400);
    assertThat(client().post("/api/v1/keys", "{\"name\":\"default\"}").status()).isEqualTo(400);
  }

  @Test
  void logsOfAFunctionAreTheLinesThatNameIt() throws IOException {
    client().deployed("talker", "quick");
    Path log = home().resolve("logs/runtime-cpu-0.log");
    Files.writeString(
        log,
        """
        {"message":"loaded","revision":"talker-00001"}
        {"message":"loaded","revision":"talker-two-00001"}
        {"message":"loaded","function":"talker"}
        {"message":"loaded","function":"mytalker"}
        """,
        StandardOpenOption.APPEND,
        StandardOpenOption.CREATE);
    assertThat(client().get("/api/v1/functions/talker/logs").body())
        .isEqualTo(
            """
            {"message":"loaded","revision":"talker-00001"}
            {"message":"loaded","function":"talker"}
            """);
    assertThat(client().get("/api/v1/functions/nobody/logs").status()).isEqualTo(404);
  }

  @Test
  void statusStreamTellsOfChanges() throws IOException {
    client().deployed("watched", "slow-300");
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(
                client().openGet("/api/v1/status/stream").body(), StandardCharsets.UTF_8))) {
      client().post("/api/v1/functions/watched/prewarm", "{\"tier\":\"ready\"}");
      boolean loading = false;
      boolean ready = false;
      for (int i = 0; i < 200 && !ready; i++) {
        String line = lines.readLine();
        loading |= line.contains("\"name\":\"watched\"") && line.contains("\"phase\":\"fetching\"");
        ready =
            loading
                && line.startsWith("data: ")
                && line.matches(".*\"name\":\"watched\".*?\"tier\":\"ready\".*");
      }
      assertThat(loading).isTrue();
      assertThat(ready).isTrue();
    }
  }

  @Test
  void versionNamesTheProcess() {
    JsonNode version = client().get("/api/v1/version").json();
    assertThat(version.path("pid").asLong()).isEqualTo(ProcessHandle.current().pid());
    assertThat(version.path("version").asText()).isNotBlank();
  }

  @Test
  void metricsHaveTheNamesOfTheConventions() {
    client().deployed("measured", "quick");
    client().post("/v1/chat/completions", chat("measured", "hello"));
    await(() -> client().get("/metrics").body().contains("measured"));
    assertThat(client().get("/metrics").body())
        .contains(
            "gen_ai_server_request_duration_seconds_bucket",
            "gen_ai_request_model=\"measured\"",
            "weft_gateway_held",
            "weft_gateway_loads_total");
  }

  @Test
  void drainedDeviceTakesNothingUntilThatIsUndone() {
    client().warm("drained", "quick");
    String drain = "/api/v1/devices/cpu-0/drain";
    Reply reply = client().post(drain, "");
    assertThat(reply.status()).as(reply.body()).isEqualTo(202);
    assertThat(reply.json().at("/status/phase").asText()).isEqualTo("draining");
    await(() -> !client().tier("drained").equals("ready"));
    CompletableFuture<Reply> held =
        client().sendAsync("POST", "/v1/chat/completions", chat("drained", "words 2"));
    await(() ->
        client().get("/api/v1/functions/drained").json().at("/status/heldRequests").asInt() == 1);
    assertThat(client().send("DELETE", drain, "").status()).isEqualTo(204);
    assertThat(held.join().status()).isEqualTo(200);
    assertThat(client().post("/api/v1/devices/none/drain", "").status()).isEqualTo(404);
  }
}
