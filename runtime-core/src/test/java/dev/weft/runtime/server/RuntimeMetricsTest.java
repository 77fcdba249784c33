package dev.weft.runtime.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.AnInstance;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.DeviceStatus.Chunks;
import dev.weft.functions.instance.DeviceStatus.Memory;
import dev.weft.functions.instance.InstanceStatus;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Gauges of what the device's status says.
class RuntimeMetricsTest {
  private final RuntimeMetrics metrics = new RuntimeMetrics();

  @AfterEach
  void close() {
    metrics.close();
  }

  private static AnInstance instance(String function) {
    return AnInstance.of(new RevisionId(new FunctionName(function), 1));
  }

  private static DeviceStatus status(InstanceStatus... instances) {
    return status(new Memory(100, 60, 50, Chunks.NONE), instances);
  }

  private static DeviceStatus status(Memory memory, InstanceStatus... instances) {
    return new DeviceStatus(
        new DeviceId("cpu-0"),
        DeviceClass.CPU,
        "run",
        1,
        DeviceStatus.Phase.READY,
        memory,
        Set.of(),
        Set.of(),
        List.of(instances));
  }

  @Test
  void memoryLastsForEverUnlessItsEndIsInSight() {
    metrics.update(status());
    assertThat(metrics.scrape()).contains("weft_device_memory_kv_lasts_seconds +Inf");

    metrics.update(status(new Memory(100, 60, 50, Chunks.NONE, 3_750L)));

    assertThat(metrics.scrape()).contains("weft_device_memory_kv_lasts_seconds 3.75");
  }

  @Test
  void isReadWhileTheStatusChanges() throws Exception {
    DeviceStatus status = status(instance("a").status(), instance("b").status());
    try (var threads = Executors.newSingleThreadExecutor()) {
      var updates =
          threads.submit(() -> IntStream.range(0, 5_000).forEach(_ -> metrics.update(status)));
      while (!updates.isDone()) {
        metrics.scrape();
      }
      updates.get();
    }
    assertThat(metrics.scrape()).containsOnlyOnce("kind=\"capacity\"");
  }

  @Test
  void headroomIsOfInstancesThatHaveRequests() {
    metrics.update(
        status(instance("late").headroomMillis(-250).status(), instance("idle").status()));

    assertThat(metrics.scrape())
        .contains("weft_instance_headroom{function=\"late\",revision=\"1\"} -0.25")
        .contains("weft_instance_weights{function=\"idle\"")
        .doesNotContain("weft_instance_headroom{function=\"idle\"");

    metrics.update(status(instance("late").status()));

    assertThat(metrics.scrape()).doesNotContain("weft_instance_headroom{");
  }
}
