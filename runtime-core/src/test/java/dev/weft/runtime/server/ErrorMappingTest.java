package dev.weft.runtime.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.engine.Engine.Submission.Rejected;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ErrorMappingTest {
  @Test
  void aRefusalHasItsFiguresBesideTheError() {
    ObjectNode json =
        ErrorMapping.of(
                new Rejected(
                    Rejected.Code.NOT_IN_TIME_PROMPTS,
                    "a first token would be late",
                    Map.of("lateSeconds", 1.5)))
            .toJson();

    assertThat(json.at("/error/code").asText()).isEqualTo("not_in_time_prompts");
    assertThat(json.at("/values/lateSeconds").asDouble()).isEqualTo(1.5);
  }

  @Test
  void errorsWithoutFiguresHaveNone() {
    assertThat(ErrorMapping.tooManyRequests().toJson().has("values")).isFalse();
  }
}
