package dev.weft.runtime.instance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.Function;
import dev.weft.functions.ModelName;
import dev.weft.functions.Revision;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.backend.Arrival;
import dev.weft.runtime.backend.FakeArrival;
import dev.weft.runtime.model.TinyModels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What an instance manager promises, shown on real files, the real engine and a backend whose
/// sizes are known to the byte.
class InstanceManagerTest {
  private static final long TWO_INSTANCES = 2 * TestDevice.INSTANCE_BYTES;

  @TempDir Path directory;
  private final ScriptedBackend backend = new ScriptedBackend("hello");
  private Path model;
  private TestDevice device;

  @BeforeEach
  void open() {
    model = TinyModels.llama(directory, 1).writeGguf();
    device = new TestDevice(directory, backend, TWO_INSTANCES);
  }

  @AfterEach
  void close() {
    device.close();
    assertThat(device.ledger.snapshot().plannedBytes()).isZero();
    assertThat(backend.allClosed()).isTrue();
  }

  @Test
  void fiftyCallersGetOneLoad() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    backend.onCompile(() -> await(go));
    Revision revision = TestDevice.revision("a", model);
    List<CompletableFuture<InstanceStatus>> callers = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      callers.add(
          CompletableFuture.supplyAsync(
              () -> TestDevice.settled(device.instances.load(revision, false)),
              task -> Thread.ofVirtual().start(task)));
    }
    go.countDown();
    for (CompletableFuture<InstanceStatus> caller : callers) {
      assertThat(caller.get(30, TimeUnit.SECONDS).tier()).isEqualTo(Tier.READY);
    }
    assertThat(backend.compiled()).isEqualTo(1);
    assertThat(device.status(revision).loadCount()).isEqualTo(1);
  }

  @Test
  void evictsTheLeastRecentlyUsed() {
    Revision a = TestDevice.revision("a", model);
    Revision b = TestDevice.revision("b", model);
    Revision c = TestDevice.revision("c", model);
    device.load(a, false);
    device.load(b, false);
    use(a);
    assertThat(device.load(c, false).tier()).isEqualTo(Tier.READY);
    assertThat(device.status(a).tier()).isEqualTo(Tier.READY);
    assertThat(device.status(b).tier()).isEqualTo(Tier.DISK);
    assertThat(device.ledger.snapshot().plannedBytes()).isEqualTo(2 * ScriptedBackend.WEIGHT_BYTES);
  }

  @Test
  void evictsNeitherPinnedNorBusy() {
    Revision pinned = TestDevice.revision("pinned", model);
    Revision busy = TestDevice.revision("busy", model);
    Revision third = TestDevice.revision("third", model);
    device.load(pinned, true);
    device.load(busy, false);
    try (Lease _ = lease(busy)) {
      InstanceStatus refused = device.load(third, false);
      assertThat(refused.tier()).isEqualTo(Tier.DISK);
      assertThat(refused.failure())
          .isNotNull()
          .satisfies(failure -> {
            assertThat(failure.code()).isEqualTo("no_memory_now");
            assertThat(failure.permanent()).isFalse();
            assertThat(failure.message()).contains("busy").contains("pinned");
          });
    }
    assertThat(device.status(pinned).tier()).isEqualTo(Tier.READY);
    assertThat(device.status(busy).tier()).isEqualTo(Tier.READY);
    assertThat(device.load(third, false).tier()).isEqualTo(Tier.READY);
    assertThat(device.status(busy).tier()).isEqualTo(Tier.DISK);
  }

  @Test
  void refusesWhatNeverFitsWithTheArithmetic() {
    try (TestDevice small =
        new TestDevice(directory, new ScriptedBackend("x"), ScriptedBackend.WEIGHT_BYTES)) {
      Revision revision = TestDevice.revision("a", model);
      InstanceStatus status = small.load(revision, false);
      assertThat(status.failure())
          .isNotNull()
          .satisfies(failure -> {
            assertThat(failure.code()).isEqualTo("never_fits");
            assertThat(failure.permanent()).isTrue();
            assertThat(failure.message()).contains("weights").contains("the device has");
          });
      var inspection =
          small.instances.inspect(Function.of(revision.id().function(), revision.spec()));
      assertThat(inspection.exact()).isTrue();
      assertThat(inspection.rejection())
          .isNotNull()
          .extracting(Rejection::code)
          .isEqualTo(Rejection.Code.NEVER_FITS);
    }
  }

  @Test
  void inspectionRefusesWhatNoSecondTryMends() {
    Revision missing = TestDevice.revision("a", directory.resolve("no-such.gguf"));
    var inspection = device.instances.inspect(Function.of(missing.id().function(), missing.spec()));
    assertThat(inspection.rejection())
        .isNotNull()
        .satisfies(rejection -> {
          assertThat(rejection.code()).isEqualTo(Rejection.Code.UNSUPPORTED);
          assertThat(rejection.message()).contains("no-such.gguf");
        });
  }

  @Test
  void inspectionTakesAModelThatWaitsForOthersToGo() {
    Revision first = TestDevice.revision("first", model);
    Revision second = TestDevice.revision("second", model);
    device.load(first, true);
    device.load(second, true);
    Revision third = TestDevice.revision("third", model);
    var inspection = device.instances.inspect(Function.of(third.id().function(), third.spec()));
    assertThat(inspection.exact()).isTrue();
    assertThat(inspection.rejection()).isNull();
  }

  @Test
  void givesBackWhatAFailedLoadTook() {
    Revision revision = TestDevice.revision("a", model);
    backend.onCompile(() -> {
      assertThat(device.ledger.snapshot().plannedBytes()).isPositive();
      throw new IllegalStateException("made to fail");
    });
    InstanceStatus failed = device.load(revision, false);
    assertThat(failed.failure()).isNotNull().extracting(f -> f.code()).isEqualTo("internal");
    assertThat(failed.failure().message()).doesNotContain("made to fail");
    assertThat(device.ledger.snapshot().plannedBytes()).isZero();
    assertThat(device.ledger.snapshot().actualBytes()).isZero();
    backend.onCompile(() -> {});
    assertThat(device.load(revision, false).tier()).isEqualTo(Tier.READY);
  }

  /// Goal: no damaged file gets past a load, and none leaves anything behind. Method: the header's
  /// bytes overwritten, and the file cut short, at places that a seed decides.
  @Test
  void refusesTwentyDamagedFiles() throws IOException {
    byte[] whole = Files.readAllBytes(model);
    RandomGenerator random = new SplittableRandom(7);
    for (int i = 0; i < 20; i++) {
      byte[] damaged =
          i % 2 == 0
              ? Arrays.copyOf(whole, (int) (whole.length * (i / 20.0)))
              : overwritten(whole, i, random);
      Path file = Files.write(directory.resolve("damaged-%d.gguf".formatted(i)), damaged);
      InstanceStatus status = device.load(TestDevice.revision("damaged-" + i, file), false);
      assertThat(status.tier()).as("file %d", i).isEqualTo(Tier.DISK);
      assertThat(status.failure())
          .as("file %d", i)
          .isNotNull()
          .satisfies(failure -> {
            assertThat(failure.code()).isEqualTo("model_invalid");
            assertThat(failure.permanent()).isTrue();
            assertThat(failure.message()).doesNotContain(directory.toString());
          });
      assertThat(device.ledger.snapshot().plannedBytes()).isZero();
    }
    assertThat(device.load(TestDevice.revision("whole", model), false).tier())
        .isEqualTo(Tier.READY);
  }

  @Test
  void saysWhichSourceIsMissing() {
    InstanceStatus status =
        device.load(TestDevice.revision("a", directory.resolve("nothing.gguf")), false);
    assertThat(status.tier()).isEqualTo(Tier.REMOTE);
    assertThat(status.failure())
        .isNotNull()
        .satisfies(failure -> assertThat(failure.code()).isEqualTo("source_not_found"));
  }

  @Test
  void climbsTierByTier() {
    Revision revision = TestDevice.revision("a", model);
    for (Tier tier : List.of(Tier.DISK, Tier.HOST, Tier.DEVICE, Tier.READY)) {
      assertThat(TestDevice.settled(device.instances.prewarm(revision, tier)).tier())
          .isEqualTo(tier);
      boolean onDevice = tier.atLeast(Tier.DEVICE);
      assertThat(device.ledger.snapshot().plannedBytes())
          .isEqualTo(onDevice ? ScriptedBackend.WEIGHT_BYTES : 0);
    }
    assertThat(backend.compiled()).isEqualTo(1);
    assertThat(device.instances.acquire(ModelName.of(revision.id().function()), Optional.empty()))
        .isInstanceOfSatisfying(Lookup.Serving.class, serving -> serving.lease().close());
  }

  @Test
  void unloadsTheBusyOnlyByForce() {
    Revision revision = TestDevice.revision("a", model);
    device.load(revision, false);
    Lease lease = lease(revision);
    assertThat(device.instances.unload(revision.id(), false))
        .isInstanceOfSatisfying(
            ControlOutcome.Refused.class,
            refused -> assertThat(refused.rejection().code()).isEqualTo(Rejection.Code.BUSY));
    CompletableFuture<ControlOutcome> forced =
        CompletableFuture.supplyAsync(() -> device.instances.unload(revision.id(), true));
    // The tokenizer is the lease's until it is closed.
    assertThat(lease.model().common().tokenizer().encode("still here", false, false)).isNotEmpty();
    lease.close();
    assertThat(forced.orTimeout(30, TimeUnit.SECONDS).join())
        .isInstanceOf(ControlOutcome.Accepted.class);
    assertThat(device.status(revision).tier()).isEqualTo(Tier.DISK);
    assertThat(device.ledger.snapshot().plannedBytes()).isZero();
  }

  @Test
  void publishesEachChangeOnceInOrder() throws Exception {
    List<DeviceStatus> heard = new CopyOnWriteArrayList<>();
    CountDownLatch ready = new CountDownLatch(1);
    try (var _ =
        device.instances.subscribe(status -> {
          heard.add(status);
          if (status.instances().stream().anyMatch(i -> i.tier() == Tier.READY)) {
            ready.countDown();
          }
        })) {
      device.load(TestDevice.revision("a", model), false);
      assertThat(ready.await(30, TimeUnit.SECONDS)).isTrue();
    }
    assertThat(heard).extracting(DeviceStatus::version).doesNotHaveDuplicates().isSorted();
  }

  @Test
  void aSubscriberThatFailsHarmsNoOther() throws Exception {
    CountDownLatch ready = new CountDownLatch(1);
    try (var _ =
            device.instances.subscribe(_ -> {
              throw new IllegalStateException("subscriber");
            });
        var _ =
            device.instances.subscribe(status -> {
              if (status.instances().stream().anyMatch(i -> i.tier() == Tier.READY)) {
                ready.countDown();
              }
            })) {
      device.load(TestDevice.revision("a", model), false);
      assertThat(ready.await(30, TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void closingCancelsTheLoadsThatWaitForAThread() throws Exception {
    int threads = 4;
    CountDownLatch compiling = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    backend.onCompile(() -> {
      compiling.countDown();
      await(go);
    });
    List<ControlOutcome> loads = new ArrayList<>();
    try (TestDevice large = new TestDevice(directory, backend, 100 * TWO_INSTANCES)) {
      for (int i = 0; i < 4 * threads; i++) {
        loads.add(large.instances.load(TestDevice.revision("f" + i, model), false));
      }
      compiling.await();
      Thread closer = Thread.ofVirtual().start(large.instances::close);
      while (!waitsForALoad(closer)) {
        Thread.onSpinWait();
      }
      go.countDown();
      closer.join();
    }
    assertThat(loads).extracting(TestDevice::settled).hasSize(4 * threads);
    assertThat(backend.compiled()).isLessThanOrEqualTo(threads);
  }

  /// Rather than for a lock, before it has cancelled any.
  private static boolean waitsForALoad(Thread closer) {
    return Arrays.stream(closer.getStackTrace())
        .anyMatch(frame -> frame.getClassName().equals(CompletableFuture.class.getName()));
  }

  @Test
  void admitsNothingWhileDraining() throws Exception {
    Revision revision = TestDevice.revision("a", model);
    device.load(revision, false);
    assertThat(device.instances.drain(Duration.ofSeconds(5))).isTrue();
    assertThat(device.instances.acquire(ModelName.of(revision.id().function()), Optional.empty()))
        .isInstanceOf(Lookup.Draining.class);
    assertThat(device.instances.load(revision, false)).isInstanceOf(ControlOutcome.Refused.class);
  }

  @Test
  void servesWhenTheLastWeightsAreNear() {
    var arrival = new FakeArrival();
    backend.arriving(arrival);
    Revision revision = TestDevice.revision("a", model);
    var settled = ((ControlOutcome.Accepted) device.instances.load(revision, false)).settled();
    awaitUntil(() -> backend.compiled() == 1);
    assertThat(device.status(revision).tier()).isEqualTo(Tier.DISK);
    assertThat(settled).isNotDone();

    arrival.comeNear();
    assertThat(settled.orTimeout(30, TimeUnit.SECONDS).join().tier()).isEqualTo(Tier.READY);
    arrival.come();
  }

  @Test
  void whatCannotArriveIsNotLoaded() {
    var arrival = new FakeArrival();
    arrival.fail(new IllegalStateException("the disk has gone"));
    backend.arriving(arrival);
    Revision revision = TestDevice.revision("a", model);
    InstanceStatus status = device.load(revision, false);
    assertThat(status.tier()).isEqualTo(Tier.DISK);
    assertThat(status.failure()).isNotNull();
    assertThat(backend.allClosed()).isTrue();
  }

  @Test
  void whatDoesNotArriveServesNoMore() {
    var arrival = new FakeArrival();
    backend.arriving(arrival);
    Revision revision = TestDevice.revision("a", model);
    arrival.comeNear();
    assertThat(device.load(revision, false).tier()).isEqualTo(Tier.READY);

    arrival.fail(new IllegalStateException("the disk has gone"));
    awaitUntil(() -> device.status(revision).tier() == Tier.DISK);
    assertThat(device.status(revision).failure())
        .isNotNull()
        .satisfies(failure -> assertThat(failure.permanent()).isFalse());
    awaitUntil(() -> device.ledger.snapshot().plannedBytes() == 0);
    assertThat(backend.allClosed()).isTrue();

    backend.arriving(Arrival.DONE);
    assertThat(device.load(revision, false).tier()).isEqualTo(Tier.READY);
  }

  private static void awaitUntil(BooleanSupplier condition) {
    long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("the condition came true in time").isLessThan(end);
      Thread.onSpinWait();
    }
  }

  private static byte[] overwritten(byte[] whole, int seed, RandomGenerator random) {
    byte[] damaged = whole.clone();
    // Magic, version, counts: 24 bytes that decide how all others are read.
    int from = 4 * (seed % 6);
    for (int i = from; i < from + 4; i++) {
      damaged[i] = (byte) (damaged[i] ^ (0x80 | random.nextInt(128)));
    }
    return damaged;
  }

  private void use(Revision revision) {
    lease(revision).close();
  }

  private Lease lease(Revision revision) {
    return switch (device.instances.acquire(
        ModelName.of(revision.id().function()), Optional.empty())) {
      case Lookup.Serving(Lease lease) -> lease;
      case Lookup.NotReady _, Lookup.Unknown _, Lookup.Draining _ ->
          throw new AssertionError(revision.id() + " does not serve");
    };
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new UncheckedIOException(new IOException(e));
    }
  }
}
