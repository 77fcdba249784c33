package dev.weft.runtime.server.openai;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TextChunkTest {
  private static final ReplyHead HEAD = new ReplyHead("id-\u00e9", 7, "a \"model\"", "fp", true);

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "plain",
        "\"\\\n\t\u0000\u0001\u001f",
        "\u00e9\u4e2d\ud83d\ude00",
        "</script>"
      })
  void isWhatTheTreeWouldBe(String text) {
    for (Reply reply :
        List.of(
            new ChatReply(HEAD, Optional.empty()), new CompletionReply(HEAD, Optional.empty()))) {
      Reply.Choice choice = reply.choice(3);
      assertThat(new String(new TextChunk(choice).with(text), StandardCharsets.UTF_8))
          .isEqualTo(choice.delta(text, List.of()).toString());
    }
  }
}
