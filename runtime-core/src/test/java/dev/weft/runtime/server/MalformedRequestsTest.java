package dev.weft.runtime.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Goal: a request that cannot be meant is refused in OpenAI's words, and harms nobody. Method: one
/// table; after each row the same server answers a sound request.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class MalformedRequestsTest {
  private static final String CHAT = "/v1/chat/completions";
  private static final String COMPLETIONS = "/v1/completions";
  private static final String EMBEDDINGS = "/v1/embeddings";
  private static final String SOUND =
      "{\"model\":\"chat\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":1}";

  private TestServer server;

  @BeforeAll
  void open(@TempDir Path directory) {
    server = new TestServer(directory, "ok");
  }

  @AfterAll
  void close() {
    server.close();
  }

  /// A request and its refusal; an empty `param` or `code` is `null` on the wire.
  record Row(String path, String body, int status, String param, String code) {
    @Override
    public String toString() {
      String shown = body.length() > 90 ? body.substring(0, 90) + "..." : body;
      return "%d %s %s".formatted(status, code, shown);
    }
  }

  static Stream<Row> rows() {
    return Stream.of(
            List.of(
                new Row(CHAT, "", 400, "", ""),
                new Row(CHAT, "{", 400, "", ""),
                new Row(CHAT, "[]", 400, "", ""),
                new Row(CHAT, "{} {}", 400, "", ""),
                new Row(CHAT, "{\"model\":\"chat\",\"model\":\"chat\"}", 400, "", ""),
                new Row(CHAT, "{\"a\":" + "[".repeat(100) + "}", 400, "", "json_limit_exceeded"),
                new Row(CHAT, " ".repeat(70_000), 413, "", "request_too_large"),
                new Row(
                    CHAT, "{\"model\":\"chat\"}", 400, "messages", "missing_required_parameter"),
                new Row(
                    CHAT,
                    "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
                    400,
                    "model",
                    "missing_required_parameter"),
                new Row(CHAT, SOUND.replace("chat", "absent"), 404, "model", "model_not_found"),
                new Row(CHAT, SOUND.replace("chat", "../x"), 404, "model", "model_not_found"),
                new Row(
                    CHAT, SOUND.replace("chat", "embed"), 400, "model", "unsupported_operation"),
                new Row(
                    CHAT, "{\"model\":\"chat\",\"messages\":[]}", 400, "messages", "empty_array"),
                new Row(
                    CHAT,
                    "{\"model\":\"chat\",\"messages\":\"x\"}",
                    400,
                    "messages",
                    "invalid_type"),
                new Row(
                    CHAT, SOUND.replace("user", "robot"), 400, "messages[0].role", "invalid_value"),
                new Row(
                    CHAT,
                    SOUND.replace("user", "tool"),
                    400,
                    "messages[0].role",
                    "unsupported_parameter"),
                new Row(
                    CHAT,
                    SOUND.replace("\"x\"", "[{\"type\":\"image_url\"}]"),
                    400,
                    "messages[0].content[0].type",
                    "unsupported_parameter"),
                new Row(
                    CHAT,
                    SOUND.replace("\"content\":\"x\"", "\"content\":3"),
                    400,
                    "messages[0].content",
                    "invalid_type")),
            List.of(
                chat("\"temperature\":2.5", "temperature", "decimal_above_max_value"),
                chat("\"temperature\":-1", "temperature", "decimal_below_min_value"),
                chat("\"temperature\":\"hot\"", "temperature", "invalid_type"),
                chat("\"top_p\":1.1", "top_p", "decimal_above_max_value"),
                chat("\"presence_penalty\":3", "presence_penalty", "decimal_above_max_value"),
                chat("\"frequency_penalty\":-3", "frequency_penalty", "decimal_below_min_value"),
                chat("\"n\":0", "n", "integer_below_min_value"),
                chat("\"n\":129", "n", "integer_above_max_value"),
                chat("\"n\":1.5", "n", "invalid_type"),
                chat("\"top_logprobs\":3", "top_logprobs", "invalid_value"),
                chat(
                    "\"logprobs\":true,\"top_logprobs\":21",
                    "top_logprobs",
                    "integer_above_max_value"),
                chat("\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "stop", "array_above_max_length"),
                chat("\"stop\":\"\"", "stop", "empty_string"),
                chat("\"stop\":[1]", "stop[0]", "invalid_type"),
                chat("\"seed\":99999999999999999999", "seed", "integer_above_max_value"),
                chat(
                    "\"max_completion_tokens\":0",
                    "max_completion_tokens",
                    "integer_below_min_value"),
                chat("\"min_tokens\":2", "min_tokens", "invalid_value"),
                chat("\"speculation\":3", "speculation", "invalid_type"),
                chat(
                    "\"speculation\":{\"prompt_lookup_tokens\":33}",
                    "speculation.prompt_lookup_tokens",
                    "integer_above_max_value"),
                chat(
                    "\"speculation\":{\"prompt_lookup_tokens\":-1}",
                    "speculation.prompt_lookup_tokens",
                    "integer_below_min_value"),
                chat(
                    "\"speculation\":{\"draft_model\":\"x\"}",
                    "speculation.draft_model",
                    "unknown_parameter"),
                chat("\"repetition_penalty\":0", "repetition_penalty", "decimal_below_min_value"),
                chat("\"min_p\":2", "min_p", "decimal_above_max_value"),
                chat("\"logit_bias\":{\"x\":1}", "logit_bias", "invalid_value"),
                chat("\"logit_bias\":{\"1\":101}", "logit_bias.1", "decimal_above_max_value"),
                chat("\"logit_bias\":{\"99999\":1}", "logit_bias", "invalid_value"),
                chat("\"stream_options\":{}", "stream_options", "invalid_value"),
                chat("\"stream\":\"yes\"", "stream", "invalid_type"),
                chat("\"tools\":[]", "tools", "unsupported_parameter"),
                chat("\"tool_choice\":\"auto\"", "tool_choice", "unsupported_parameter"),
                chat(
                    "\"response_format\":{\"type\":\"json_object\"}",
                    "response_format",
                    "unsupported_parameter"),
                chat("\"store\":true", "store", "unsupported_parameter"),
                chat("\"reasoning_effort\":\"low\"", "reasoning_effort", "unsupported_parameter"),
                chat("\"best_of\":2", "best_of", "unknown_parameter"),
                chat("\"tempreature\":1", "tempreature", "unknown_parameter")),
            List.of(
                new Row(
                    CHAT,
                    SOUND.replace(":1}", ":5000}"),
                    400,
                    "messages",
                    "context_length_exceeded"),
                new Row(
                    CHAT,
                    SOUND.replace("\"x\"", "\"" + "x".repeat(300) + "\""),
                    400,
                    "messages",
                    "context_length_exceeded"),
                new Row(
                    COMPLETIONS,
                    "{\"model\":\"chat\"}",
                    400,
                    "prompt",
                    "missing_required_parameter"),
                new Row(
                    COMPLETIONS,
                    "{\"model\":\"chat\",\"prompt\":[]}",
                    400,
                    "prompt",
                    "empty_array"),
                new Row(
                    COMPLETIONS,
                    "{\"model\":\"chat\",\"prompt\":[999999]}",
                    400,
                    "prompt",
                    "invalid_value"),
                new Row(
                    COMPLETIONS,
                    "{\"model\":\"chat\",\"prompt\":[1,\"x\"]}",
                    400,
                    "prompt[1]",
                    "invalid_type"),
                new Row(
                    COMPLETIONS,
                    "{\"model\":\"chat\",\"prompt\":\"x\",\"max_tokens\":0}",
                    400,
                    "max_tokens",
                    "integer_below_min_value"),
                new Row(
                    COMPLETIONS,
                    "{\"model\":\"chat\",\"prompt\":\"x\",\"suffix\":\"y\"}",
                    400,
                    "suffix",
                    "unsupported_parameter"),
                new Row(
                    EMBEDDINGS,
                    "{\"model\":\"embed\",\"input\":\"\"}",
                    400,
                    "input",
                    "empty_string"),
                new Row(
                    EMBEDDINGS, "{\"model\":\"embed\",\"input\":{}}", 400, "input", "invalid_type"),
                new Row(
                    EMBEDDINGS,
                    "{\"model\":\"embed\",\"input\":\"x\",\"dimensions\":3}",
                    400,
                    "dimensions",
                    "invalid_value"),
                new Row(
                    EMBEDDINGS,
                    "{\"model\":\"embed\",\"input\":\"x\",\"encoding_format\":\"hex\"}",
                    400,
                    "encoding_format",
                    "invalid_value"),
                new Row(
                    EMBEDDINGS,
                    "{\"model\":\"chat\",\"input\":\"x\"}",
                    400,
                    "model",
                    "unsupported_operation"),
                new Row("/control/load", "{}", 400, "revision", "missing_required_parameter"),
                new Row("/control/load", "{\"revision\":3}", 400, "", "invalid_body")))
        .flatMap(List::stream);
  }

  private static Row chat(String parameter, String param, String code) {
    return new Row(CHAT, SOUND.replace("}],", "}]," + parameter + ","), 400, param, code);
  }

  @ParameterizedTest
  @MethodSource("rows")
  void refusesAndGoesOn(Row row) {
    HttpResponse<String> response = server.post(row.path(), row.body());
    assertThat(response.statusCode()).as(response.body()).isEqualTo(row.status());
    JsonNode error = TestServer.json(response).get("error");
    assertThat(error.properties())
        .extracting(member -> member.getKey())
        .containsExactly("message", "type", "param", "code");
    assertThat(error.get("type").textValue())
        .isEqualTo(row.status() == 404 ? "not_found_error" : "invalid_request_error");
    assertThat(text(error.get("param"))).as(response.body()).isEqualTo(row.param());
    assertThat(text(error.get("code"))).as(response.body()).isEqualTo(row.code());
    assertThat(error.get("message").textValue()).isNotBlank().doesNotContain("dev.weft");
    assertThat(server.post(CHAT, SOUND).statusCode()).isEqualTo(200);
  }

  private static String text(JsonNode node) {
    return node.isNull() ? "" : node.textValue();
  }
}
