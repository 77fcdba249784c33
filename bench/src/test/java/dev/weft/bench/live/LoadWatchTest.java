package dev.weft.bench.live;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.FunctionName;
import dev.weft.functions.Model;
import dev.weft.functions.Quantization;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.InstanceStatus.Blocks;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import dev.weft.functions.instance.Tier;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class LoadWatchTest {
  private static final FunctionName F = new FunctionName("f");
  private static final FunctionName OTHER = new FunctionName("other");

  private final LoadWatch watch = new LoadWatch();

  // NullAway cannot see which parts of a status may be null: see Instances.status.
  @SuppressWarnings("NullAway")
  private void saw(String device, boolean loads, long nanos) {
    var instance =
        new InstanceStatus(
            new RevisionId(F, 1),
            Model.Kind.GENERATION,
            loads ? Tier.DISK : Tier.READY,
            false,
            0,
            0,
            0,
            Blocks.NONE,
            0,
            Instant.EPOCH,
            loads ? new LoadProgress(LoadProgress.Phase.COMPILING, "", 0, 0) : null,
            null,
            List.of(),
            0,
            null,
            null);
    var status =
        new DeviceStatus(
            new DeviceId(device),
            DeviceClass.CPU,
            "r",
            nanos,
            DeviceStatus.Phase.READY,
            new DeviceStatus.Memory(0, 0, 0, DeviceStatus.Chunks.NONE),
            Set.of(Quantization.AUTO),
            Set.of(),
            List.of(instance));
    watch.saw(status, nanos);
  }

  @Test
  void whoWaitsIsExcusedForThePartOfTheLoadThatItWaitedFor() {
    saw("cpu-0", true, 100);
    saw("cpu-0", true, 120);
    saw("cpu-0", false, 150);

    assertThat(watch.loads()).isEqualTo(1);
    assertThat(watch.excusedNanos(F, 0, 200)).isEqualTo(50);
    assertThat(watch.excusedNanos(F, 130, 200)).isEqualTo(20);
    assertThat(watch.excusedNanos(F, 0, 110)).isEqualTo(10);
    assertThat(watch.excusedNanos(F, 160, 200)).isZero();
    assertThat(watch.excusedNanos(OTHER, 0, 200)).isZero();
  }

  @Test
  void aLoadThatGoesOnCountsUntilNow() {
    saw("cpu-0", true, 100);
    assertThat(watch.excusedNanos(F, 0, 130)).isEqualTo(30);
    assertThat(watch.excusedNanos(F, 0, 180)).isEqualTo(80);
    assertThat(watch.loads()).isZero();
  }

  @Test
  void ofSeveralLoadsTheLongestCounts() {
    saw("cpu-0", true, 100);
    saw("cpu-1", true, 110);
    saw("cpu-0", false, 130);
    saw("cpu-1", false, 190);
    assertThat(watch.excusedNanos(F, 0, 300)).isEqualTo(80);
  }
}
