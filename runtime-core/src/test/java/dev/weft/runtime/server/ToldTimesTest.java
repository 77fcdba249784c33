package dev.weft.runtime.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.instance.ControlApi;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/// Who asks where a request's time went is told, and nobody else.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ToldTimesTest {
  private static final String TIMES =
      "queue=[0-9]+\\.[0-9]{6} prefill=[0-9]+\\.[0-9]{6} decode=[0-9]+\\.[0-9]{6}";
  private static final String WHOLE =
      "{\"model\":\"chat\",\"prompt\":\"x\\n\",\"n\":2,\"max_tokens\":3,\"ignore_eos\":true}";
  private static final String STREAM = WHOLE.replace("\"n\":2", "\"stream\":true");

  private TestServer server;

  @BeforeAll
  void open(@TempDir Path directory) {
    server = new TestServer(directory, "Hé!");
  }

  @AfterAll
  void close() {
    server.close();
  }

  private HttpResponse<String> ask(String body, String... headers) {
    HttpResponse<String> response = server.post("/v1/completions", body, headers);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return response;
  }

  @Test
  void aWholeAnswerHasThemInAHeader() {
    assertThat(ask(WHOLE, ControlApi.TIMES_HEADER, "1").headers().firstValue("weft-times"))
        .hasValueSatisfying(times -> assertThat(times).matches(TIMES));
    assertThat(ask(WHOLE).headers().firstValue("weft-times")).isEmpty();
  }

  @Test
  void aStreamHasThemInACommentAtItsEnd() {
    String told = ask(STREAM, ControlApi.TIMES_HEADER, "1", ControlApi.TOKENS_HEADER, "1").body();
    assertThat(told.lines().filter(line -> line.startsWith(": times ")))
        .singleElement()
        .satisfies(line -> assertThat(line.substring(": times ".length())).matches(TIMES));
    assertThat(told.indexOf(": times ")).isGreaterThan(told.lastIndexOf("finish_reason"));
    assertThat(ask(STREAM).body()).doesNotContain(": times");
  }
}
