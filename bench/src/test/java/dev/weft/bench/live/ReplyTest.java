package dev.weft.bench.live;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.simulation.Served;
import org.junit.jupiter.api.Test;

class ReplyTest {
  private final Reply reply = new Reply();

  @Test
  void tokensAreTimedFromTheFirstFrameWithAChoiceToTheLast() {
    reply.onLine(": waiting for an instance", 1);
    assertThat(reply.held()).isTrue();
    assertThat(reply.firstAt()).isEqualTo(Served.NEVER);
    reply.onLine("data: {\"choices\":[{\"text\":\"\"}]}", 5);
    reply.onLine("", 6);
    reply.onLine("data: {\"choices\":[{\"text\":\" a\"}]}", 8);
    reply.onLine("data: {\"choices\":[],\"usage\":{\"completion_tokens\":2}}", 9);
    reply.onLine("data: [DONE]", 10);

    assertThat(reply.firstAt()).isEqualTo(5);
    assertThat(reply.lastAt()).isEqualTo(8);
    assertThat(reply.tokens()).isEqualTo(2);
    assertThat(reply.error()).isNull();
  }

  @Test
  void anErrorWithinAStreamIsOne() {
    reply.onLine("data: {\"error\":{\"code\":\"model_loading\"}}", 1);
    assertThat(reply.error()).contains("model_loading");
    assertThat(reply.held()).isFalse();
  }

  @Test
  void whatIsNoJsonIsAnError() {
    reply.onLine("data: {\"choices\"", 1);
    assertThat(reply.error()).contains("no JSON");
  }
}
