package dev.weft.runtime.instance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.ModelName;
import dev.weft.functions.Revision;
import dev.weft.functions.instance.ControlApi.Rejection;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.TinyAdapter;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Adapters on a device whose sizes are known to the byte.
class AdapterInstancesTest {
  @TempDir private Path directory;
  private final ScriptedBackend backend = new ScriptedBackend("hello");
  private Revision base;
  private Revision a;
  private Revision b;
  private Revision c;
  private long adapterBytes;
  private TestDevice device;

  /// Room for one model and two adapters.
  @BeforeEach
  void open() throws IOException {
    Path model = TinyModels.llama(directory, 1).writeGguf();
    base = TestDevice.revision("base", model);
    DecoderSpec spec;
    try (var opened = ModelFiles.open(model)) {
      spec = (DecoderSpec) opened.spec();
    }
    a = adapter("a", spec, 1);
    b = adapter("b", spec, 2);
    c = adapter("c", spec, 3);
    adapterBytes = files(spec, 1).weights().byteSize();
    assertThat(2 * adapterBytes).isLessThan(TestDevice.INSTANCE_BYTES);
    device = new TestDevice(directory, backend, TestDevice.INSTANCE_BYTES + 2 * adapterBytes);
  }

  private Revision adapter(String name, DecoderSpec spec, long seed) {
    return TestDevice.adapter(name, base, files(spec, seed).writePeft(directory.resolve(name)));
  }

  /// So small that two of them do not make room for a model.
  private static TinyAdapter files(DecoderSpec spec, long seed) {
    return TinyAdapter.of(spec, List.of("attn_q"), 1, DType.F16, seed);
  }

  @AfterEach
  void close() {
    device.close();
    assertThat(device.ledger.snapshot().plannedBytes()).isZero();
    assertThat(backend.allClosed()).isTrue();
  }

  @Test
  void anAdapterBringsItsBase() {
    InstanceStatus loaded = device.load(a, base);

    assertThat(loaded.tier()).isEqualTo(Tier.READY);
    assertThat(loaded.weightBytes()).isEqualTo(adapterBytes);
    assertThat(device.status(base).tier()).isEqualTo(Tier.READY);
    assertThat(device.status(base).adapters()).containsExactly("a");
    assertThat(device.status(a).adapters()).isEmpty();
    assertThat(device.ledger.snapshot().plannedBytes())
        .isEqualTo(ScriptedBackend.WEIGHT_BYTES + adapterBytes);
  }

  @Test
  void manyCallersGetOneLoadOfEach() throws Exception {
    List<CompletableFuture<InstanceStatus>> callers = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      Revision adapter = i % 2 == 0 ? a : b;
      callers.add(
          CompletableFuture.supplyAsync(
              () -> device.load(adapter, base), task -> Thread.ofVirtual().start(task)));
    }
    for (CompletableFuture<InstanceStatus> caller : callers) {
      assertThat(caller.get(30, TimeUnit.SECONDS).tier()).isEqualTo(Tier.READY);
    }
    assertThat(backend.compiled()).isEqualTo(1);
    assertThat(device.status(a).loadCount()).isEqualTo(1);
    assertThat(device.status(base).adapters()).containsExactly("a", "b");
  }

  @Test
  void theLeastRecentlyUsedAdapterMakesRoomAndTheBaseStays() {
    device.load(a, base);
    device.load(b, base);
    use(a);

    assertThat(device.load(c, base).tier()).isEqualTo(Tier.READY);

    assertThat(device.status(base).adapters()).containsExactly("a", "c");
    assertThat(device.status(b).tier()).isEqualTo(Tier.DISK);
    assertThat(device.load(b, base).tier()).as("and comes back").isEqualTo(Tier.READY);
    assertThat(device.status(b).loadCount()).isEqualTo(2);
    assertThat(backend.compiled()).isEqualTo(1);
  }

  @Test
  void aBaseTakesItsAdaptersAlong() {
    device.load(a, base);
    device.load(b, base);
    Revision other = TestDevice.revision("other", directory.resolve("model.gguf"));

    assertThat(device.load(other, false).tier()).isEqualTo(Tier.READY);

    for (Revision gone : List.of(base, a, b)) {
      assertThat(device.status(gone).tier()).isEqualTo(Tier.DISK);
    }
    assertThat(device.status(base).adapters()).isEmpty();
    assertThat(device.ledger.snapshot().plannedBytes()).isEqualTo(ScriptedBackend.WEIGHT_BYTES);
    assertThat(device.load(a, base).tier()).isEqualTo(Tier.READY);
  }

  @Test
  void anAdapterInUseOrPinnedKeepsItsBase() {
    device.load(a, base);
    Revision other = TestDevice.revision("other", directory.resolve("model.gguf"));

    try (Lease _ = lease(ModelName.of(a.id().function()))) {
      assertThat(failure(device.load(other, false)).code()).isEqualTo("no_memory_now");
      assertThat(device.instances.unload(base.id(), false))
          .isInstanceOfSatisfying(
              ControlOutcome.Refused.class,
              refused -> assertThat(refused.rejection().code()).isEqualTo(Rejection.Code.BUSY));
    }
    TestDevice.settled(device.instances.load(a, true, Optional.of(base)));
    assertThat(failure(device.load(other, false)).code()).isEqualTo("no_memory_now");
    TestDevice.settled(device.instances.load(a, false, Optional.of(base)));
    assertThat(device.load(other, false).tier()).isEqualTo(Tier.READY);
  }

  @Test
  void unloadingABaseUnloadsItsAdapters() {
    device.load(a, base);
    device.load(b, base);

    assertThat(TestDevice.settled(device.instances.unload(a.id(), false)).tier())
        .isEqualTo(Tier.DISK);
    assertThat(device.status(base).adapters()).containsExactly("b");
    assertThat(TestDevice.settled(device.instances.unload(base.id(), false)).tier())
        .isEqualTo(Tier.DISK);
    assertThat(device.status(b).tier()).isEqualTo(Tier.DISK);
    assertThat(device.ledger.snapshot().plannedBytes()).isZero();
  }

  @Test
  void whatKeepsTheBaseAwayKeepsTheAdapterAway() throws IOException {
    Path broken = Files.writeString(directory.resolve("broken.gguf"), "not a model");
    Revision missing = TestDevice.revision("base", broken);

    InstanceStatus status = device.load(a, missing);

    assertThat(failure(status).code()).isEqualTo("model_invalid");
    assertThat(failure(status).permanent()).isTrue();
    assertThat(failure(status).message())
        .contains("its base base-00001 could not be loaded", "broken.gguf");
    assertThat(device.ledger.snapshot().plannedBytes()).isZero();
  }

  @Test
  void anAdapterOfAnotherModelIsRefusedAndLeavesNothing() throws IOException {
    Path wide = Files.createDirectory(directory.resolve("wide"));
    DecoderSpec spec;
    try (var other = ModelFiles.open(TinyModels.llama(wide, 1).hidden(128).writeGguf())) {
      spec = (DecoderSpec) other.spec();
    }
    Revision stranger = adapter("stranger", spec, 4);

    InstanceStatus status = device.load(stranger, base);

    assertThat(failure(status).code()).isEqualTo("model_invalid");
    assertThat(failure(status).message()).contains("q_proj.lora_A", "[1, 128]", "[1, 64]");
    assertThat(device.status(base).tier()).isEqualTo(Tier.READY);
    assertThat(device.ledger.snapshot().plannedBytes()).isEqualTo(ScriptedBackend.WEIGHT_BYTES);
  }

  @Test
  void anAdapterNeedsItsBase() {
    Revision other = TestDevice.revision("other", directory.resolve("model.gguf"));

    for (ControlOutcome outcome :
        List.of(
            device.instances.load(a, false),
            device.instances.load(a, false, Optional.of(other)),
            device.instances.load(base, false, Optional.of(other)),
            device.instances.prewarm(a, Tier.DEVICE))) {
      assertThat(outcome)
          .isInstanceOfSatisfying(
              ControlOutcome.Refused.class,
              refused ->
                  assertThat(refused.rejection().code()).isEqualTo(Rejection.Code.UNSUPPORTED));
    }
    assertThat(TestDevice.settled(device.instances.prewarm(a, Tier.HOST)).tier())
        .isEqualTo(Tier.HOST);
  }

  @Test
  void isFoundByItsNameAndWithItsBase() {
    device.load(a, base);

    for (String name : List.of("a", "base:a")) {
      try (Lease lease = lease(ModelName.parse(name).orElseThrow())) {
        assertThat(lease.model().common().revision()).isEqualTo(a.id());
        assertThat(lease.model()).isInstanceOf(ServingModel.Generator.class);
      }
    }
    assertThat(device.instances.acquire(ModelName.parse("b:a").orElseThrow(), Optional.empty()))
        .isInstanceOf(Lookup.Unknown.class);
    assertThat(
            device.instances.acquire(ModelName.parse("base:base").orElseThrow(), Optional.empty()))
        .isInstanceOf(Lookup.Unknown.class);
  }

  private void use(Revision revision) {
    lease(ModelName.of(revision.id().function())).close();
  }

  private Lease lease(ModelName name) {
    if (device.instances.acquire(name, Optional.empty()) instanceof Lookup.Serving(Lease lease)) {
      return lease;
    }
    throw new AssertionError(name + " does not serve");
  }

  private static InstanceStatus.Failure failure(InstanceStatus status) {
    return Objects.requireNonNull(status.failure(), "the load has not failed");
  }
}
