package dev.weft.runtime.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.instance.DeviceId;
import dev.weft.runtime.server.RuntimeOptions.Parsed;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CpuChoiceTest {
  @Test
  void listsAreAsLinuxWritesThem() {
    assertThat(CpuChoice.parse("8,0-3,2")).isEqualTo(new CpuChoice.Listed(List.of(0, 1, 2, 3, 8)));
    assertThat(CpuChoice.parse("node:1")).isEqualTo(new CpuChoice.OfNode(1));
    assertThat(CpuChoice.format(List.of(0, 1, 2, 3, 8, 10, 11))).isEqualTo("0-3,8,10-11");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a", "3-1", "1,", "-1", "node:", "node:x", "99999", "1-"})
  void anythingElseIsRefused(String list) {
    assertThatThrownBy(() -> CpuChoice.parse(list)).isInstanceOf(IllegalArgumentException.class);
    assertThat(RuntimeOptions.parse(List.of("--cpus", list), Map.of(), new DeviceId("cpu-0")))
        .isInstanceOfSatisfying(
            Parsed.Invalid.class,
            invalid -> assertThat(invalid.message()).startsWith("--cpus '%s':".formatted(list)));
  }
}
