package dev.weft.autoscaler.admission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.weft.autoscaler.admission.InstanceFit.Device;
import dev.weft.autoscaler.admission.InstanceFit.FitsAfter;
import dev.weft.autoscaler.admission.InstanceFit.FitsNow;
import dev.weft.autoscaler.admission.InstanceFit.Never;
import dev.weft.autoscaler.admission.InstanceFit.NotNow;
import dev.weft.autoscaler.memory.EvictionPlan.Candidate;
import dev.weft.autoscaler.memory.ModelFootprint;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class InstanceFitTest {
  private static final long MIB = 1L << 20;
  private static final long GIB = 1L << 30;
  private static final RevisionId OTHER = new RevisionId(new FunctionName("other"), 3);

  /// A 7B of 12.6 GiB with 4,096 tokens of context: 256 blocks of 2.4 MiB, in 308 chunks of 2 MiB.
  private static final ModelFootprint MODEL =
      new ModelFootprint(12_902 * MIB, 205 * MIB, 308, 2 * MIB, 4_096);

  private static final String NEEDS =
      "needs 13.4 GiB (weights 12.6 GiB + activations 205.0 MiB + KV for one context of 4,096 tokens 616.0 MiB)";

  @Test
  void fitsAnEmptyDevice() {
    assertThat(InstanceFit.decide(MODEL, new Device(16 * GIB, 0, 0, List.of())))
        .isEqualTo(new FitsNow(NEEDS + "; the device has 16.0 GiB, of which 16.0 GiB are free"));
  }

  @Test
  void neverFitsASmallDeviceAndSaysTheArithmetic() {
    assertThat(InstanceFit.decide(MODEL, new Device(8 * GIB, 0, 0, List.of())))
        .isEqualTo(new Never(MODEL.leastBytes() - 8 * GIB, NEEDS + ", the device has 8.0 GiB"));
  }

  @Test
  void fitsOnceAnIdleInstanceHasGone() {
    Candidate idle = new Candidate(OTHER, 4 * GIB, 0, Instant.EPOCH, false, false);

    assertThat(InstanceFit.decide(MODEL, new Device(16 * GIB, 4 * GIB, 0, List.of(idle))))
        .isInstanceOfSatisfying(
            FitsAfter.class,
            after -> {
              assertThat(after.evictions()).extracting(e -> e.revision()).containsExactly(OTHER);
              assertThat(after.reason())
                  .endsWith("the device has 16.0 GiB, of which 12.0 GiB are free");
            });
  }

  @Test
  void waitsForABusyInstance() {
    Candidate busy = new Candidate(OTHER, 4 * GIB, 0, Instant.EPOCH, true, false);

    assertThat(InstanceFit.decide(MODEL, new Device(16 * GIB, 4 * GIB, 0, List.of(busy))))
        .isEqualTo(
            new NotNow(
                MODEL.leastBytes() - 12 * GIB,
                NEEDS
                    + "; the device has 16.0 GiB, of which 12.0 GiB are free. 1.4 GiB are missing; idle instances hold 0 B, busy ones 4.0 GiB, pinned ones 0 B"));
  }

  @Test
  void whatOthersComputeInCountsOnce() {
    Device full =
        new Device(16 * GIB, 16 * GIB - MODEL.ownBytes(), MODEL.activationBytes(), List.of());

    assertThat(InstanceFit.decide(MODEL, full)).isInstanceOf(FitsNow.class);

    // Half of what it computes in is there already.
    long half = MODEL.activationBytes() / 2;
    Device smaller = new Device(16 * GIB, 16 * GIB - MODEL.ownBytes(), half, List.of());
    assertThat(InstanceFit.decide(MODEL, smaller))
        .isInstanceOfSatisfying(
            NotNow.class,
            later -> assertThat(later.missingBytes()).isEqualTo(MODEL.activationBytes() - half));
  }

  @Test
  void whatAllTheOthersComputeInGoesWithTheLastOfThem() {
    RevisionId second = new RevisionId(new FunctionName("second"), 1);
    ModelFootprint newcomer = new ModelFootprint(900, 50, 0, 1, 16);
    Candidate first = new Candidate(OTHER, 100, 400, Instant.EPOCH, false, false);
    Candidate other = new Candidate(second, 100, 400, Instant.EPOCH.plusSeconds(1), false, false);
    Device device = new Device(1_000, 600, 400, List.of(first, other));

    assertThat(InstanceFit.decide(newcomer, device))
        .isInstanceOfSatisfying(
            FitsAfter.class,
            after ->
                assertThat(after.evictions())
                    .extracting(e -> e.revision())
                    .containsExactly(OTHER, second));

    Candidate busy = new Candidate(second, 100, 400, Instant.EPOCH, true, false);
    assertThat(InstanceFit.decide(newcomer, new Device(1_000, 600, 400, List.of(first, busy))))
        .isInstanceOf(NotNow.class);
  }

  @Test
  void needsNoKvForAnEncoder() {
    ModelFootprint encoder = new ModelFootprint(90 * MIB, 10 * MIB, 0, 2 * MIB, 256);

    assertThat(InstanceFit.decide(encoder, new Device(100 * MIB, 0, 0, List.of())).reason())
        .startsWith("needs 100.0 MiB (weights 90.0 MiB + activations 10.0 MiB);");
  }

  @Test
  void refusesADeviceThatIsOverCommitted() {
    assertThatIllegalArgumentException().isThrownBy(() -> new Device(10, 11, 0, List.of()));
  }
}
