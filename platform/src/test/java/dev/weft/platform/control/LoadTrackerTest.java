package dev.weft.platform.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.AnInstance;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus.Failure;
import dev.weft.functions.instance.InstanceStatus.LoadProgress;
import dev.weft.functions.instance.Tier;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// What became of a load, told from the snapshots that come after it was asked for.
class LoadTrackerTest {
  private static final RevisionId REVISION = new RevisionId(new FunctionName("f"), 1);
  private static final DeviceId DEVICE = new DeviceId("cpu-0");
  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
  private static final Failure PERMANENT = new Failure("model_invalid", "bad file", true);
  private static final Failure PASSING = new Failure("source_unreachable", "no network", false);

  private final LoadTracker tracker = new LoadTracker();

  private static DeviceStatus status(
      String runtimeId,
      long version,
      Tier tier,
      @Nullable LoadProgress progress,
      @Nullable Failure failure) {
    return new DeviceStatus(
        DEVICE,
        DeviceClass.CPU,
        runtimeId,
        version,
        DeviceStatus.Phase.READY,
        new DeviceStatus.Memory(100, 0, 0, DeviceStatus.Chunks.NONE),
        Set.of(),
        Set.of(),
        List.of(
            AnInstance.of(REVISION)
                .tier(tier)
                .lastUsedAt(NOW)
                .progress(progress)
                .failure(failure)
                .status()));
  }

  private void observe(DeviceStatus status) {
    Fleet.Device device =
        new Fleet.Device(DEVICE, status, new RuntimeAddress("127.0.0.1", 1, "s"), null);
    tracker.observe(new Fleet.Snapshot(1, Map.of(DEVICE, device)), NOW);
  }

  private void begin() {
    begin(Set.of());
  }

  private void begin(Set<DeviceId> others) {
    tracker.begin(REVISION, status("r1", 5, Tier.DISK, null, null), others, NOW);
  }

  @Test
  void snapshotFromBeforeTheLoadSaysNothing() {
    begin();
    observe(status("r1", 5, Tier.DISK, null, PERMANENT));
    assertThat(tracker.underWay(REVISION)).isTrue();
    assertThat(tracker.failure(REVISION)).isEmpty();
  }

  @Test
  void loadIsUnderWayUntilItIsReady() {
    begin();
    observe(
        status("r1", 6, Tier.DISK, new LoadProgress(LoadProgress.Phase.FETCHING, "", 1, 2), null));
    assertThat(tracker.underWay(REVISION)).isTrue();
    observe(status("r1", 7, Tier.READY, null, null));
    assertThat(tracker.underWay(REVISION)).isFalse();
    assertThat(tracker.failure(REVISION)).isEmpty();
  }

  @Test
  void deviceThatIsOnlySuspectedHasNotDied() {
    for (int i = 0; i <= LoadTracker.DEATHS_TOLERATED; i++) {
      begin();
      Fleet.Device away =
          new Fleet.Device(DEVICE, status("r1", 6, Tier.DISK, null, null), null, "does not answer");
      tracker.observe(new Fleet.Snapshot(1, Map.of(DEVICE, away)), NOW);
      assertThat(tracker.underWay(REVISION)).isTrue();
    }
    assertThat(tracker.failure(REVISION)).isEmpty();
  }

  @Test
  void permanentFailureBlocksUntilForgiven() {
    begin();
    observe(status("r1", 6, Tier.DISK, null, PERMANENT));
    assertThat(tracker.failure(REVISION).orElseThrow().blocks(NOW.plusSeconds(1_000_000))).isTrue();
    tracker.forgive(REVISION);
    assertThat(tracker.failure(REVISION)).isEmpty();
  }

  @Test
  void whatOneDeviceCanNeverLoadOthersAreAskedFor() {
    begin(Set.of(new DeviceId("gpu-0")));
    observe(status("r1", 6, Tier.DISK, null, PERMANENT));
    assertThat(tracker.underWay(REVISION)).isFalse();
    assertThat(tracker.failure(REVISION)).isEmpty();
    assertThat(tracker.refuses(REVISION, DEVICE)).isTrue();
    assertThat(tracker.refuses(REVISION, new DeviceId("gpu-0"))).isFalse();

    begin(Set.of(DEVICE));
    observe(status("r1", 6, Tier.DISK, null, PERMANENT));
    assertThat(tracker.failure(REVISION)).as("none is left").isPresent();

    tracker.forgive(REVISION);
    assertThat(tracker.refuses(REVISION, DEVICE)).isFalse();
  }

  @Test
  void aDeviceThatRefusedIsNotAskedAgainWhenAnotherHasLoadedIt() {
    begin(Set.of(new DeviceId("gpu-0")));
    observe(status("r1", 6, Tier.DISK, null, PERMANENT));
    begin(Set.of());
    observe(status("r1", 6, Tier.READY, null, null));
    assertThat(tracker.refuses(REVISION, DEVICE)).isTrue();
  }

  @Test
  void whatPassesIsTriedAgainWhereItWas() {
    begin(Set.of(new DeviceId("gpu-0")));
    observe(status("r1", 6, Tier.DISK, null, PASSING));
    assertThat(tracker.failure(REVISION)).isPresent();
    assertThat(tracker.refuses(REVISION, DEVICE)).isFalse();
  }

  @Test
  void passingFailureBlocksForLongerEachTime() {
    begin();
    observe(status("r1", 6, Tier.DISK, null, PASSING));
    LoadTracker.Failed first = tracker.failure(REVISION).orElseThrow();
    assertThat(first.blocks(NOW.plusMillis(999))).isTrue();
    assertThat(first.blocks(NOW.plusMillis(1_001))).isFalse();
    begin();
    observe(status("r1", 6, Tier.DISK, null, PASSING));
    assertThat(tracker.failure(REVISION).orElseThrow().blocks(NOW.plusMillis(1_999))).isTrue();
  }

  @Test
  void runtimeThatDiesWhileLoadingIsTriedAgainAndThenBlamedOnTheModel() {
    for (int i = 0; i < LoadTracker.DEATHS_TOLERATED; i++) {
      begin();
      observe(status("r" + (i + 2), 1, Tier.DISK, null, null));
      assertThat(tracker.underWay(REVISION)).isFalse();
      assertThat(tracker.failure(REVISION)).as("death %d", i + 1).isEmpty();
    }
    begin();
    observe(status("r9", 1, Tier.DISK, null, null));
    LoadTracker.Failed failed = tracker.failure(REVISION).orElseThrow();
    assertThat(failed.failure().code()).isEqualTo("runtime_died");
    assertThat(failed.failure().permanent()).isTrue();
  }

  @Test
  void listenersHearOfFailures() {
    int[] heard = new int[1];
    tracker.onFailure(() -> heard[0]++);
    begin();
    observe(status("r1", 6, Tier.DISK, null, PASSING));
    assertThat(heard[0]).isEqualTo(1);
  }
}
