package dev.weft.platform.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.instance.Why;
import io.vertx.core.buffer.Buffer;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ErrorCodeTest {
  private static final String CODE = "not_in_time_memory";

  @Test
  void readsARefusalWithItsFigures() {
    Buffer body =
        Buffer.buffer(
            """
            {"error":{"message":"memory is missing","code":"not_in_time_memory"},
             "values":{"missingBytes":4096}}\
            """);

    assertThat(ErrorCode.readWhy(CODE, body))
        .isEqualTo(
            new Why(
                CODE, "not_in_time_memory: memory is missing", Map.of("missingBytes", 4_096.0)));
  }

  @Test
  void whatCannotBeReadIsItsCodeAlone() {
    assertThat(ErrorCode.readWhy(CODE, Buffer.buffer("no JSON"))).isEqualTo(new Why(CODE, CODE));
  }
}
