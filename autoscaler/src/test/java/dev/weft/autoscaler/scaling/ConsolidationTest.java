package dev.weft.autoscaler.scaling;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.scaling.KeepAlive.Loaded;
import dev.weft.autoscaler.scaling.KeepAlive.Unload;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.Scaling;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.Why;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ConsolidationTest {
  private static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");
  private static final DeviceId CPU_0 = new DeviceId("cpu-0");
  private static final DeviceId CPU_1 = new DeviceId("cpu-1");
  private static final RevisionId MINE = new RevisionId(new FunctionName("mine"), 1);
  private static final RevisionId OTHER = new RevisionId(new FunctionName("other"), 1);

  private static Loaded idle(RevisionId revision, DeviceId device, long seconds) {
    return idle(revision, device, seconds, 0);
  }

  private static Loaded idle(RevisionId revision, DeviceId device, long seconds, int min) {
    var scaling = new Scaling(min, 3, Duration.ofMinutes(5), Duration.ofMinutes(1));
    return new Loaded(device, revision, true, true, false, NOW.minusSeconds(seconds), scaling);
  }

  private static Loaded busy(RevisionId revision, DeviceId device) {
    return new Loaded(device, revision, true, true, true, NOW, Scaling.DEFAULT);
  }

  private static List<Unload> decide(Loaded... instances) {
    return Consolidation.decide(List.of(instances), NOW);
  }

  @Test
  void emptiesADeviceOfWhatOthersAnswerFor() {
    assertThat(decide(busy(MINE, CPU_0), idle(OTHER, CPU_0, 99), idle(MINE, CPU_1, 40)))
        .containsExactly(
            new Unload(
                CPU_1,
                MINE,
                new Why(
                    "device_emptied",
                    "idle for 40s on a device that is empty without it, and 1 others answer",
                    Map.of("idleSeconds", 40.0, "others", 1.0))));
  }

  @Test
  void leavesADeviceThatWouldNotBeEmpty() {
    assertThat(decide(busy(MINE, CPU_0), idle(MINE, CPU_1, 40), idle(OTHER, CPU_1, 40)))
        .as("the other has no instance elsewhere")
        .isEmpty();
    assertThat(decide(idle(MINE, CPU_0, 40), idle(MINE, CPU_1, 20)))
        .as("not idle for long")
        .extracting(Unload::device)
        .containsExactly(CPU_0);
    assertThat(decide(busy(MINE, CPU_0), idle(MINE, CPU_1, 20))).isEmpty();
  }

  @Test
  void emptiesOneDeviceAndLeavesTheMinimum() {
    assertThat(decide(idle(MINE, CPU_0, 40), idle(MINE, CPU_1, 40))).hasSize(1);
    assertThat(decide(idle(MINE, CPU_0, 40, 2), idle(MINE, CPU_1, 40, 2))).isEmpty();
  }
}
