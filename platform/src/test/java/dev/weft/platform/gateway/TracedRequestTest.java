package dev.weft.platform.gateway;

import static dev.weft.platform.stub.PlatformClient.await;
import static dev.weft.platform.stub.PlatformClient.chat;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.stub.PlatformTest;
import dev.weft.platform.stub.SpanCollector;
import io.quarkus.test.common.TestResourceScope;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What a collector gets to see of requests: each is one trace, with the reason of every decision.
@QuarkusTest
@WithTestResource(value = SpanCollector.class, scope = TestResourceScope.RESTRICTED_TO_CLASS)
class TracedRequestTest extends PlatformTest {
  private static final String CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

  @Inject WeftConfig settings;

  @BeforeEach
  void awaitBothDevices() {
    await(() ->
        client()
            .get("/api/v1/devices")
            .json()
            .at("/devices/1/status/phase")
            .asText()
            .equals("ready"));
  }

  @Test
  void admittedRequestIsASpanInItsCallersTrace() {
    client().warm("seen", "quick");
    int status =
        client()
            .withHeaders("traceparent", CALLER)
            .post("/v1/chat/completions", chat("seen", "words 3"))
            .status();
    assertThat(status).isEqualTo(200);
    List<JsonNode> trace = trace("chat seen");
    JsonNode request = trace.getFirst();
    assertThat(request.path("trace").asText()).isEqualTo("0af7651916cd43dd8448eb211c80319c");
    assertThat(request.path("parent").asText()).isEqualTo("b7ad6b7169203331");
    JsonNode attributes = request.path("attributes");
    assertThat(attributes.path("gen_ai.operation.name").asText()).isEqualTo("chat");
    assertThat(attributes.path("gen_ai.request.model").asText()).isEqualTo("seen");
    assertThat(attributes.path("gen_ai.response.model").asText()).isEqualTo("seen-00001");
    assertThat(attributes.path("gen_ai.usage.input_tokens").asInt()).isEqualTo(7);
    assertThat(attributes.path("gen_ai.usage.output_tokens").asInt()).isEqualTo(3);
    assertThat(attributes.path("http.response.status_code").asInt()).isEqualTo(200);
    assertThat(attributes.has("error.type")).isFalse();
    assertThat(events(request)).containsExactly("routed fullest_batch");

    JsonNode runtime = trace.get(1);
    assertThat(runtime.path("parent")).isEqualTo(request.path("id"));
    assertThat(runtime.at("/attributes/weft.device").asText())
        .startsWith("cpu-")
        .isEqualTo(attributes.path("weft.device").asText());
    assertThat(runtime.at("/attributes/weft.queue.duration").asDouble()).isEqualTo(0.25);
    assertThat(runtime.at("/attributes/weft.prefill.duration").asDouble()).isEqualTo(0.5);
    assertThat(runtime.at("/attributes/weft.decode.duration").asDouble()).isEqualTo(1.5);
  }

  @Test
  void refusalsAndWaitingHaveTheirReasons() {
    client().warm("late", "quick");
    assertThat(client().post("/v1/chat/completions", chat("late", "late 3")).status())
        .isEqualTo(200);
    List<JsonNode> trace = trace("chat late");
    assertThat(events(trace.getFirst()))
        .as("asked again until its first token is due")
        .startsWith(
            "routed fullest_batch",
            "refused not_in_time_prompts",
            "queued no_device_in_time",
            "routed fullest_batch",
            "refused not_in_time_prompts")
        .endsWith("queued takes_its_turn", "routed fullest_batch");
    assertThat(trace.getFirst().at("/events/2/attributes/weft.reason.refusals").asDouble())
        .isEqualTo(1);
    assertThat(trace.subList(1, trace.size()))
        .extracting(runtime -> runtime.at("/attributes/error.type").asText())
        .startsWith("not_in_time_prompts", "not_in_time_prompts")
        .endsWith("");
    String device = trace.getLast().at("/attributes/weft.device").asText();
    assertThat(client().stub(device, "/stub/stats").at("/lastHeaders/weft-waited-ms").asInt())
        .as("what it waited at the gateway counts")
        .isGreaterThanOrEqualTo(2_000);
  }

  @Test
  void requestThatIsTurnedAwayHasItsReason() {
    client().deployed("broken", "fail");
    assertThat(client().post("/v1/chat/completions", chat("broken", "hello")).status())
        .isEqualTo(503);
    JsonNode request = trace("chat broken").getFirst();
    assertThat(request.at("/attributes/error.type").asText()).isEqualTo("model_load_failed");
    assertThat(events(request)).last().isEqualTo("turned_away model_load_failed");

    assertThat(client().post("/v1/chat/completions", chat("nobody", "hello")).status())
        .isEqualTo(404);
    assertThat(trace("turned_away").getFirst().at("/attributes/error.type").asText())
        .isEqualTo("model_not_found");
  }

  @Test
  void migratedStreamIsOneTrace() {
    client().warm("moved", "quick");
    String stream = "{\"model\":\"moved\",\"stream\":true,\"prompt\":\"moved 6\"}";
    String answer = client().post("/v1/completions", stream).body();
    assertThat(answer).endsWith("data: [DONE]\n\n").doesNotContain(": times");
    List<JsonNode> trace = trace("text_completion moved");
    assertThat(events(trace.getFirst()))
        .containsExactly(
            "routed fullest_batch",
            "moved instance_leaves",
            "routed fullest_batch",
            "moved keys_and_values");
    assertThat(trace.getFirst().at("/attributes/gen_ai.usage.output_tokens").asInt()).isEqualTo(6);
    assertThat(trace).hasSize(3);
    assertThat(trace.get(1).at("/attributes/error.type").asText()).isEqualTo("instance_leaves");
    assertThat(trace.get(2).at("/attributes/weft.decode.duration").asDouble()).isEqualTo(1.5);
  }

  private static List<String> events(JsonNode span) {
    return StreamSupport.stream(span.path("events").spliterator(), false)
        .map(event ->
            event.path("name").asText() + " " + event.at("/attributes/weft.reason").asText())
        .toList();
  }

  /// The span of that name and those below it, in the order in which they ended.
  private List<JsonNode> trace(String name) {
    List<JsonNode> trace = new ArrayList<>();
    await(() -> {
      List<JsonNode> all = spans();
      all.stream()
          .filter(span -> span.path("name").asText().equals(name))
          .findFirst()
          .ifPresent(trace::add);
      return !trace.isEmpty();
    });
    JsonNode root = trace.getFirst();
    spans().stream()
        .filter(span -> span.path("parent").equals(root.path("id")))
        .forEach(trace::add);
    assertThat(trace)
        .allMatch(span -> span.path("trace").equals(root.path("trace")), "of one trace");
    return trace;
  }

  private List<JsonNode> spans() {
    URI collector = settings.telemetry().endpoint().orElseThrow();
    try (InputStream body = collector.resolve("/spans").toURL().openStream()) {
      List<JsonNode> spans = new ArrayList<>();
      new ObjectMapper().readTree(body).forEach(spans::add);
      return spans;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
