package dev.weft.platform.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.buffer.Buffer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VerdictTest {
  @ParameterizedTest
  @CsvSource({
    "200, , FINAL",
    "400, invalid_value, FINAL",
    "500, internal_error, FINAL",
    "429, queue_full, FINAL",
    "429, not_in_time_memory, NOT_IN_TIME",
    "503, not_in_time_memory, FINAL",
    "503, model_not_loaded, AGAIN",
    "404, model_not_found, AGAIN",
    "503, draining, AGAIN",
    "500, draining, FINAL",
    "401, , SECRET_REFUSED",
    "403, anything, SECRET_REFUSED",
  })
  void goesByStatusAndCode(int status, @Nullable String code, Verdict verdict) {
    assertThat(Verdict.of(status, code, false)).isEqualTo(verdict);
  }

  @Test
  void whoReadsAStreamIsNotToldToComeBackLater() {
    assertThat(Verdict.of(429, "queue_full", true)).isEqualTo(Verdict.AGAIN);
    assertThat(Verdict.of(429, null, true)).isEqualTo(Verdict.AGAIN);
    assertThat(Verdict.of(400, "invalid_value", true)).isEqualTo(Verdict.FINAL);
  }

  @Test
  void aStreamMovesWhenItsInstanceLeaves() {
    assertThat(Verdict.moves(frame("model_unloaded"))).isTrue();
    assertThat(Verdict.moves(frame("draining"))).isTrue();
    assertThat(Verdict.moves(frame("internal_error"))).isFalse();
    assertThat(Verdict.moves(Buffer.buffer("data: {\"error\":{}}\n\n"))).isFalse();
  }

  private static Buffer frame(String code) {
    return Buffer.buffer("data: {\"error\":{\"message\":\"m\",\"code\":\"" + code + "\"}}\n\n");
  }
}
