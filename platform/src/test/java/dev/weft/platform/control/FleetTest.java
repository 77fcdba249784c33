package dev.weft.platform.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.FunctionName;
import dev.weft.functions.Quantization;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.AnInstance;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// What a snapshot says of a revision.
class FleetTest {
  private static final RuntimeAddress ADDRESS = new RuntimeAddress("127.0.0.1", 1, "s");
  private static final RevisionId WANTED = new RevisionId(new FunctionName("f"), 2);
  private static final RevisionId EARLIER = new RevisionId(new FunctionName("f"), 1);
  private static final RevisionId OTHER = new RevisionId(new FunctionName("g"), 2);

  private final Fleet fleet = new Fleet();

  private void publish(String device, RevisionId... revisions) {
    fleet.update(
        new DeviceStatus(
            new DeviceId(device),
            DeviceClass.CPU,
            "r1",
            1,
            DeviceStatus.Phase.READY,
            new DeviceStatus.Memory(1_000, 0, 0, DeviceStatus.Chunks.NONE),
            Set.of(Quantization.AUTO),
            Set.of(),
            Stream.of(revisions).map(FleetTest::instance).toList()),
        ADDRESS);
  }

  private static InstanceStatus instance(RevisionId revision) {
    return AnInstance.of(revision).weightBytes(100).loadCount(1).status();
  }

  @Test
  void instancesOfARevisionComeByTheirDevicesIds() {
    publish("c", EARLIER, WANTED);
    publish("a", WANTED);
    publish("b", OTHER, EARLIER);
    assertThat(fleet.snapshot().instancesOf(WANTED))
        .extracting(placed -> placed.device().id().value(), placed -> placed.instance().revision())
        .containsExactly(tuple("a", WANTED), tuple("c", WANTED));
    assertThat(fleet.instancesOf(WANTED)).isEqualTo(fleet.snapshot().instancesOf(WANTED));
  }

  @Test
  void whatIsAwayHasNothing() {
    publish("a", WANTED);
    publish("b", WANTED);
    fleet.away(new DeviceId("a"), "gone");
    assertThat(fleet.instancesOf(WANTED))
        .extracting(placed -> placed.device().id().value())
        .containsExactly("b");
    assertThat(fleet.snapshot().instancesOf(WANTED)).hasSize(1);
    assertThat(fleet.reachable()).isEqualTo(1);
    assertThat(fleet.snapshot().instancesOf(OTHER)).isEmpty();
  }

  @Test
  void whatADeviceNoLongerPublishesIsForgotten() {
    publish("a", WANTED, OTHER);
    publish("a", OTHER, EARLIER);
    assertThat(fleet.instancesOf(WANTED)).isEmpty();
    assertThat(fleet.instancesOf(OTHER)).hasSize(1);
    assertThat(fleet.instancesOf(EARLIER)).hasSize(1);
    assertThat(fleet.reachable()).isEqualTo(1);
  }

  @Test
  void aSnapshotStaysAsItWas() {
    publish("a", WANTED);
    Fleet.Snapshot before = fleet.snapshot();
    assertThat(fleet.snapshot()).isSameAs(before);
    publish("a", OTHER);
    assertThat(before.instancesOf(WANTED)).hasSize(1);
    assertThat(fleet.snapshot().instancesOf(WANTED)).isEmpty();
    assertThat(fleet.snapshot().version()).isGreaterThan(before.version());
  }

  /// Routing must see that the device is drained: it is not to be asked again.
  @Test
  void aDrainedDeviceSaysSo() {
    publish("a", WANTED);
    fleet.drain(new DeviceId("a"), true);
    assertThat(fleet.instancesOf(WANTED))
        .extracting(placed -> placed.status().phase())
        .containsExactly(DeviceStatus.Phase.DRAINING);
  }
}
