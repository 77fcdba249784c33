package dev.weft.platform.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.errors.UnauthorizedException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.embeddings.EmbeddingCreateParams;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// The clients that applications use, unchanged.
final class OpenAiClientsIT {
  private static final Installation WEFT = Installation.create("clients");

  @BeforeAll
  static void up() {
    WEFT.succeed("up", "-d", "--port", "0");
  }

  @AfterAll
  static void down() {
    WEFT.close();
  }

  @Test
  void openaiPythonHoldsAConversation() {
    var scripts = Installation.ROOT.resolve("platform/src/test/e2e");
    var venv = Installation.ROOT.resolve("platform/target/e2e/venv");
    var install =
        Installation.run(
            Map.of(),
            List.of(
                "bash",
                "-c",
                "[ -x '%1$s/bin/python' ] || python3 -m venv '%1$s'; '%1$s/bin/pip' install -q -r '%2$s/requirements.txt'"
                    .formatted(venv, scripts)));
    assumeTrue(
        install.exit() == 0, () -> "openai-python cannot be installed here: " + install.err());
    var result =
        Installation.run(
            Map.of("OPENAI_BASE_URL", WEFT.baseUrl() + "/v1", "OPENAI_API_KEY", WEFT.key()),
            List.of(
                venv.resolve("bin/python").toString(),
                scripts.resolve("openai_conversation.py").toString()));
    assertThat(result.exit()).as("%s\n%s", result.out(), result.err()).isZero();
    assertThat(result.out()).endsWith("ok errors\n");
  }

  @Test
  void openaiJavaHoldsAConversation() {
    OpenAIClient client = client(WEFT.key());
    ChatCompletionCreateParams params =
        ChatCompletionCreateParams.builder()
            .model("smollm2")
            .addUserMessage("Say hello to the world in one short sentence.")
            .temperature(0)
            .maxCompletionTokens(24)
            .build();
    ChatCompletion answer = client.chat().completions().create(params);
    String text = answer.choices().getFirst().message().content().orElseThrow();
    assertThat(text).isNotBlank();
    assertThat(answer.usage().orElseThrow().completionTokens()).isBetween(1L, 24L);

    var streamed = new StringBuilder();
    try (StreamResponse<ChatCompletionChunk> stream =
        client.chat().completions().createStreaming(params)) {
      stream.stream()
          .flatMap(chunk -> chunk.choices().stream())
          .forEach(choice -> choice.delta().content().ifPresent(streamed::append));
    }
    assertThat(streamed.toString()).isEqualTo(text);

    var embedding =
        client
            .embeddings()
            .create(EmbeddingCreateParams.builder().model("minilm").input("a text").build());
    assertThat(embedding.data().getFirst().embedding()).hasSize(384);
    assertThat(client.models().list().data())
        .extracting(model -> model.id())
        .contains("smollm2", "minilm");
  }

  @Test
  void openaiJavaSeesTypedErrors() {
    OpenAIClient client = client(WEFT.key());
    var hello = ChatCompletionCreateParams.builder().addUserMessage("Hi");
    assertThatThrownBy(() -> client.chat().completions().create(hello.model("nobody").build()))
        .isInstanceOf(NotFoundException.class);
    assertThatThrownBy(
            () -> client.chat().completions().create(hello.model("smollm2").temperature(9).build()))
        .isInstanceOf(BadRequestException.class);
    assertThatThrownBy(() -> client("weft_wrong").models().list())
        .isInstanceOf(UnauthorizedException.class);
  }

  private static OpenAIClient client(String key) {
    return OpenAIOkHttpClient.builder()
        .baseUrl(WEFT.baseUrl() + "/v1")
        .apiKey(key)
        .maxRetries(0)
        .build();
  }
}
