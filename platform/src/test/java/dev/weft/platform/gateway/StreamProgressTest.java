package dev.weft.platform.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.platform.control.RuntimeAddress;
import dev.weft.platform.gateway.SseFilter.Told;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/// What a runtime is told that is to go on with a stream.
class StreamProgressTest {
  private static final RuntimeAddress FIRST = new RuntimeAddress("127.0.0.1", 7001, "secret-one");
  private static final RuntimeAddress SECOND = new RuntimeAddress("::1", 7002, "secret-two");

  private final List<String> arrived = new ArrayList<>();
  private final StreamProgress progress = new StreamProgress(arrived::add);

  private JsonNode choices(RuntimeAddress to) throws IOException {
    Buffer body = progress.continuation("/v1/completions", Buffer.buffer("{\"n\":2}"), to);
    assertThat(body.toString()).doesNotContain("secret");
    JsonNode json = new ObjectMapper().readTree(body.getBytes());
    assertThat(json.at("/request/n").asInt()).isEqualTo(2);
    return json.path("choices");
  }

  private static Told told(int choice, int... tokens) {
    return new Told(choice, tokens, OptionalInt.empty());
  }

  @Test
  void keysAndValuesAreFetchedFromWhoKeepsThem() throws IOException {
    progress.take(FIRST);
    progress.onData(told(0, 5, 6));
    progress.onData(told(1, 7));
    progress.onKv("kept 1 0a1b 812");
    assertThat(choices(SECOND).toString())
        .isEqualTo(
            "[{\"index\":0,\"tokens\":[5,6]},{\"index\":1,\"tokens\":[7],\"kv\":{\"at\":\"http://127.0.0.1:7001/control/kv/0a1b\",\"tokens\":812}}]");
    assertThat(choices(FIRST).findValues("kv")).as("who has them unloads them").isEmpty();
    assertThat(arrived).isEmpty();
  }

  @Test
  void whatOneKeptIsNothingOnceAnotherWrites() throws IOException {
    progress.take(FIRST);
    progress.onData(told(0, 5));
    progress.onKv("kept 0 0a1b 9");
    progress.take(SECOND);
    assertThat(choices(FIRST).findValues("kv")).isEmpty();

    progress.onKv("kept 0 0c 10");
    assertThat(choices(FIRST).at("/0/kv/at").asText()).isEqualTo("http://[::1]:7002/control/kv/0c");
  }

  @Test
  void whatBecameOfThemIsToldAndWhatIsNoTicketKeepsNothing() throws IOException {
    progress.take(FIRST);
    progress.onData(told(0, 5));
    progress.onKv("12 tokens came");
    progress.onKv("kept 3 0a1b 9");
    progress.onKv("kept 0 \"},{ 9");
    assertThat(arrived).containsExactly("12 tokens came", "kept 0 \"},{ 9");
    assertThat(choices(SECOND).findValues("kv")).isEmpty();
  }
}
