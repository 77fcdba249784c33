package dev.weft.platform.gateway;

import static dev.weft.platform.stub.PlatformClient.chat;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.platform.stub.PlatformClient;
import dev.weft.platform.stub.PlatformClient.Reply;
import dev.weft.platform.stub.PlatformTest;
import io.quarkus.test.junit.QuarkusTest;
import org.junit.jupiter.api.Test;

/// Requests that are refused, each with a reason in OpenAI's shape, and the paths there are.
@QuarkusTest
class RequestTest extends PlatformTest {
  @Test
  void malformedBodiesAreRefusedWithAReason() {
    client().deployed("strict", "quick");
    String deep = "{\"model\":\"strict\",\"messages\":" + "[".repeat(100) + "]".repeat(100) + "}";
    refused("", 400);
    refused("{", 400);
    refused("[]", 400);
    refused("null", 400);
    refused("not json", 400);
    refused("{\"model\":\"strict\"} trailing", 400);
    refused("{\"model\":\"strict\",\"model\":\"other\"}", 400);
    refused("{\"model\":5}", 400);
    refused("{\"messages\":[]}", 400);
    refused("{\"model\":\"\"}", 400);
    refused("{\"model\":null}", 400);
    refused("{\"model\":\"strict\",\"stream\":\"yes\"}", 400);
    refused("{\"model\":\"strict\",\"stream\":1}", 400);
    refused("{\"model\":\"strict\",\"stream_options\":true}", 400);
    refused("{\"model\":\"strict\",\"stream_options\":{\"include_usage\":\"x\"}}", 400);
    refused(deep, 400);
    refused("{\"model\":\"strict\",\"messages\":[\"\ud800\"]", 400);
    refused(chat("nobody", "hello"), 404);
    refused(chat("No Such Name!", "hello"), 404);
    refused(chat("../../etc/passwd", "hello"), 404);
    refused("{\"model\":\"strict\",\"x\":\"" + "y".repeat(1 << 20) + "\"}", 413);
  }

  private void refused(String body, int status) {
    Reply reply = client().post("/v1/chat/completions", body);
    assertThat(reply.status()).as(abbreviated(body) + " -> " + reply.body()).isEqualTo(status);
    assertThat(reply.error().path("message").asText()).isNotBlank();
    assertThat(reply.error().has("type")).isTrue();
    assertThat(reply.error().has("param")).isTrue();
    assertThat(reply.error().has("code")).isTrue();
  }

  private static String abbreviated(String body) {
    return body.length() > 100 ? body.substring(0, 100) : body;
  }

  @Test
  void operationThatAFunctionDoesNotHaveIsRefused() {
    client().deployed("vectors", "embed");
    client().deployed("texts", "quick");
    Reply chat = client().post("/v1/chat/completions", chat("vectors", "hello"));
    assertThat(chat.status()).isEqualTo(400);
    assertThat(chat.error().path("message").asText()).contains("computes embeddings");
    Reply embeddings = client().post("/v1/embeddings", "{\"model\":\"texts\",\"input\":\"hello\"}");
    assertThat(embeddings.status()).isEqualTo(400);
  }

  @Test
  void invokeTakesTheSameBodyWithoutAModel() {
    client().deployed("invoked", "quick");
    client().deployed("embedded", "embed");
    Reply chat =
        client()
            .post(
                "/functions/invoked/invoke",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"hello there\"}]}");
    assertThat(chat.json().at("/choices/0/message/content").asText()).isEqualTo("hello there");
    Reply completion = client().post("/functions/invoked/invoke", "{\"prompt\":\"one two\"}");
    assertThat(completion.json().at("/choices/0/text").asText()).isEqualTo("one two");
    Reply vector = client().post("/functions/embedded/invoke", "{\"input\":[\"a\",\"b\"]}");
    assertThat(vector.json().path("data").size()).isEqualTo(2);
    Reply same =
        client().post("/functions/invoked/invoke", "{\"model\":\"invoked\",\"prompt\":\"x\"}");
    assertThat(same.status()).isEqualTo(200);
    Reply other =
        client().post("/functions/invoked/invoke", "{\"model\":\"other\",\"prompt\":\"x\"}");
    assertThat(other.status()).isEqualTo(400);
    assertThat(other.error().path("param").asText()).isEqualTo("model");
    assertThat(client().post("/functions/invoked/invoke", "{}").status()).isEqualTo(400);
    assertThat(client().post("/functions/nobody/invoke", "{}").status()).isEqualTo(404);
  }

  @Test
  void runtimesAnswerToABusyInstanceIsPassedOn() {
    client().deployed("busy", "quick");
    Reply reply = client().post("/v1/chat/completions", chat("busy", "busy"));
    assertThat(reply.status()).isEqualTo(429);
    assertThat(reply.error().path("code").asText()).isEqualTo("queue_full");
  }

  @Test
  void unknownPathIsToldInOpenAisShape() {
    Reply reply = client().get("/v1/files");
    assertThat(reply.status()).isEqualTo(404);
    assertThat(reply.error().path("code").asText()).isEqualTo("unknown_url");
  }

  @Test
  void workflowHeadersReachTheRuntime() {
    client().deployed("staged", "quick");
    PlatformClient.Reply reply =
        client()
            .withHeaders("weft-workflow", "w-1", "weft-stage", "draft", "weft-parent", "p-1")
            .post("/v1/chat/completions", chat("staged", "hello"));
    assertThat(reply.status()).isEqualTo(200);
    assertThat(client().stats().at("/lastHeaders/weft-workflow").asText()).isEqualTo("w-1");
    assertThat(client().stats().at("/lastHeaders/weft-stage").asText()).isEqualTo("draft");
    assertThat(client().stats().at("/lastHeaders/weft-parent").asText()).isEqualTo("p-1");
    assertThat(
            client()
                .withHeaders("weft-workflow", "x".repeat(200))
                .post("/v1/chat/completions", chat("staged", "hello"))
                .status())
        .isEqualTo(400);
  }
}
