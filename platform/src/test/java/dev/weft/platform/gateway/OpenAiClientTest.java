package dev.weft.platform.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.core.http.StreamResponse;
import com.openai.errors.BadRequestException;
import com.openai.errors.NotFoundException;
import com.openai.errors.UnauthorizedException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import com.openai.models.chat.completions.ChatCompletionStreamOptions;
import com.openai.models.embeddings.CreateEmbeddingResponse;
import com.openai.models.embeddings.EmbeddingCreateParams;
import dev.weft.platform.stub.PlatformTest;
import io.quarkus.test.junit.QuarkusTest;
import java.util.List;
import org.junit.jupiter.api.Test;

/// OpenAI's own client for Java, unchanged.
@QuarkusTest
class OpenAiClientTest extends PlatformTest {
  private OpenAIClient openAi(String key) {
    return OpenAIOkHttpClient.builder()
        .baseUrl(client().base() + "/v1")
        .apiKey(key)
        .maxRetries(0)
        .build();
  }

  private static ChatCompletionCreateParams.Builder chat(String model, String text) {
    return ChatCompletionCreateParams.builder().model(model).addUserMessage(text);
  }

  @Test
  void conversesWholeAndStreamed() {
    client().deployed("talk", "slow-200");
    OpenAIClient openAi = openAi(client().key());
    List<ChatCompletionChunk> chunks;
    try (StreamResponse<ChatCompletionChunk> stream =
        openAi
            .chat()
            .completions()
            .createStreaming(
                chat("talk", "words 3")
                    .streamOptions(ChatCompletionStreamOptions.builder().includeUsage(true).build())
                    .build())) {
      chunks = stream.stream().toList();
    }
    String text =
        chunks.stream()
            .flatMap(chunk -> chunk.choices().stream())
            .flatMap(choice -> choice.delta().content().stream())
            .reduce("", String::concat);
    assertThat(text).isEqualTo("w0 w1 w2");
    assertThat(chunks.getLast().usage())
        .hasValueSatisfying(usage -> assertThat(usage.completionTokens()).isEqualTo(3));
    ChatCompletion whole = openAi.chat().completions().create(chat("talk", "how are you").build());
    assertThat(whole.choices().getFirst().message().content()).hasValue("how are you");
    assertThat(whole.id()).startsWith("chatcmpl-");
  }

  @Test
  void embedsAndListsModels() {
    client().deployed("vectorise", "embed");
    OpenAIClient openAi = openAi(client().key());
    CreateEmbeddingResponse vectors =
        openAi
            .embeddings()
            .create(
                EmbeddingCreateParams.builder()
                    .model("vectorise")
                    .inputOfArrayOfStrings(List.of("a", "b"))
                    .encodingFormat(EmbeddingCreateParams.EncodingFormat.FLOAT)
                    .build());
    assertThat(vectors.data()).hasSize(2);
    assertThat(openAi.models().list().data()).anyMatch(model -> model.id().equals("vectorise"));
    assertThat(openAi.models().retrieve("vectorise").id()).isEqualTo("vectorise");
  }

  @Test
  void errorsAreItsOwnExceptions() {
    client().deployed("strictly", "embed");
    OpenAIClient openAi = openAi(client().key());
    assertThatExceptionOfType(NotFoundException.class)
        .isThrownBy(() -> openAi.chat().completions().create(chat("nobody", "x").build()))
        .satisfies(e -> assertThat(e.code()).hasValue("model_not_found"));
    assertThatExceptionOfType(BadRequestException.class)
        .isThrownBy(() -> openAi.chat().completions().create(chat("strictly", "x").build()));
    assertThatExceptionOfType(UnauthorizedException.class)
        .isThrownBy(
            () -> openAi("weft_wrong").chat().completions().create(chat("strictly", "x").build()));
    assertThatExceptionOfType(NotFoundException.class)
        .isThrownBy(() -> openAi.models().retrieve("nobody"));
  }
}
