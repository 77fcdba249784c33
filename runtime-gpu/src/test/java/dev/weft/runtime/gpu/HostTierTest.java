package dev.weft.runtime.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.functions.Quantization;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderDriver;
import dev.weft.runtime.engine.DeviceLoop;
import dev.weft.runtime.engine.EngineObserver;
import dev.weft.runtime.instance.ControlOutcome;
import dev.weft.runtime.instance.DeviceIdentity;
import dev.weft.runtime.instance.InstanceListener;
import dev.weft.runtime.instance.InstanceManager;
import dev.weft.runtime.instance.InstanceSettings;
import dev.weft.runtime.instance.ModelSupply;
import dev.weft.runtime.instance.ProfileStore;
import dev.weft.runtime.memory.Balloon;
import dev.weft.runtime.memory.ChunkPool;
import dev.weft.runtime.memory.MemoryLedger;
import dev.weft.runtime.memory.SwapSpace;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.source.ModelFetcher;
import dev.weft.runtime.source.SourceSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Weights that were once on the device come back from the host's memory, of which they take no
/// more than they may.
class HostTierTest {
  /// A model has several, the last of which is not full.
  private static final long SLAB = 64 << 10;

  private static final int BLOCKS = 8;
  private static final CompileOptions OPTIONS =
      new CompileOptions(Quantization.NONE, 64, BLOCKS, 16, 4);

  @TempDir private Path directory;
  private GpuBackend backend = EmulatedGpu.backend(HostMemoryLimit.NONE);

  @AfterEach
  void close() {
    backend.close();
  }

  private void limit(long slabs) {
    backend.close();
    backend = EmulatedGpu.backend(new HostMemoryLimit(slabs * SLAB, SLAB));
  }

  private Path model(String name) throws IOException {
    Path place = Files.createDirectories(directory.resolve(name));
    return TinyModels.llama(place, name.hashCode()).qwen2().writeGguf();
  }

  private static DecoderSpec spec(ModelPackage files) {
    return (DecoderSpec) files.spec();
  }

  /// The logits of some tokens after a load.
  private float[][] run(Path model) {
    try (ModelPackage files = ModelFiles.open(model);
        var decoder = backend.compile(spec(files), files.weights(), OPTIONS)) {
      return new DecoderDriver(decoder, BLOCKS).logits(new int[] {5, 17, 9, 200, 31});
    }
  }

  private boolean bring(Path model) {
    try (ModelPackage files = ModelFiles.open(model)) {
      return backend.hostTier().bring(files.spec(), files.weights());
    }
  }

  private boolean has(Path model) {
    try (ModelPackage files = ModelFiles.open(model)) {
      return backend.hostTier().has(files.weights().files(), false);
    }
  }

  private long weightBytes(Path model) {
    try (ModelPackage files = ModelFiles.open(model)) {
      return backend.footprint(files.spec(), files.weights(), OPTIONS).weightBytes();
    }
  }

  @Test
  void whatWasLoadedOnceIsNotReadAgain() throws IOException {
    Path model = model("one");
    float[][] staged = run(model);
    assertThat(backend.images().filledBytes()).as("nothing is kept").isZero();

    limit(100);
    assertThat(run(model)).isDeepEqualTo(staged);
    long read = backend.images().filledBytes();
    // Between what lies there are gaps: places begin at multiples of 256.
    assertThat(read).isBetween(weightBytes(model) * 9 / 10, weightBytes(model));
    assertThat(has(model)).isTrue();

    assertThat(run(model)).isDeepEqualTo(staged);
    assertThat(backend.images().filledBytes()).isEqualTo(read);
  }

  @Test
  void whatWasBroughtIsNotReadByALoad() throws IOException {
    limit(100);
    Path model = model("one");
    long before = EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES);
    assertThat(bring(model)).isTrue();
    assertThat(EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES)).as("on the device").isEqualTo(before);
    long read = backend.images().filledBytes();
    assertThat(read).isPositive();
    assertThat(bring(model)).isTrue();
    float[][] logits = run(model);
    assertThat(backend.images().filledBytes()).isEqualTo(read);

    limit(0);
    assertThat(run(model)).isDeepEqualTo(logits);
  }

  @Test
  void theLimitIsKeptAndWhatWasUsedLongestAgoGoesFirst() throws IOException {
    Path one = model("one");
    Path two = model("two");
    Path three = model("three");
    long slabs = Math.ceilDiv(weightBytes(one), SLAB);
    limit(2 * slabs + slabs / 2);

    assertThat(bring(one)).isTrue();
    assertThat(bring(two)).isTrue();
    run(one);
    assertThat(bring(three)).isTrue();
    assertThat(has(two)).as("used longest ago").isFalse();
    assertThat(has(one)).isTrue();
    assertThat(has(three)).isTrue();
    assertThat(backend.images().pinnedBytes()).isLessThanOrEqualTo((2 * slabs + slabs / 2) * SLAB);

    long read = backend.images().filledBytes();
    run(two);
    assertThat(backend.images().filledBytes()).as("read again").isGreaterThan(read);
    assertThat(has(one)).isFalse();
  }

  @Test
  void whatDoesNotFitIsRefusedThereAndLoadedAllTheSame() throws IOException {
    Path model = model("one");
    float[][] expected = run(model);
    limit(2);
    assertThat(bring(model)).isFalse();
    assertThat(has(model)).isFalse();
    assertThat(run(model)).isDeepEqualTo(expected);
  }

  private static Revision revision(String name, Path model) {
    return new Revision(
        new RevisionId(new FunctionName(name), 1),
        FunctionSpec.of(new Model(null, List.of(ModelSource.of("file:" + model)), 256)),
        Instant.EPOCH);
  }

  private static Tier settled(ControlOutcome outcome) {
    if (outcome instanceof ControlOutcome.Accepted(var _, var settled)) {
      return settled.join().tier();
    }
    throw new AssertionError("refused: " + outcome);
  }

  private static Tier tier(InstanceManager instances, Revision revision) {
    return instances.status().instances().stream()
        .filter(instance -> instance.revision().equals(revision.id()))
        .findFirst()
        .orElseThrow()
        .tier();
  }

  @Test
  void theTierIsTold() throws IOException {
    Revision one = revision("one", model("one"));
    Revision two = revision("two", model("two"));
    limit(Math.ceilDiv(weightBytes(directory.resolve("one/model.gguf")), SLAB));
    long capacity = 64L << 20;
    var ledger = new MemoryLedger(capacity);
    try (var engine = new DeviceLoop("gpu", EngineObserver.NONE, SwapSpace.NONE);
        var chunks = new ChunkPool(backend.openMemory(capacity));
        var instances =
            new InstanceManager(
                new InstanceManager.Device(
                    new DeviceIdentity(new DeviceId("gpu-0"), "run"),
                    backend,
                    engine,
                    ledger,
                    new Balloon(chunks, ledger, Balloon.Observer.NONE),
                    ModelSupply.of(new ModelFetcher(SourceSettings.of(directory, Map.of()))),
                    ProfileStore.NONE),
                InstanceSettings.DEFAULT,
                InstanceListener.NONE,
                InstantSource.system())) {
      assertThat(settled(instances.prewarm(one, Tier.HOST))).isEqualTo(Tier.HOST);
      assertThat(settled(instances.load(one, false, Optional.empty()))).isEqualTo(Tier.READY);
      long read = backend.images().filledBytes();
      settled(instances.unload(one.id(), false));
      assertThat(tier(instances, one)).as("it left the device").isEqualTo(Tier.HOST);
      assertThat(settled(instances.load(one, false))).isEqualTo(Tier.READY);
      assertThat(backend.images().filledBytes()).isEqualTo(read);
      settled(instances.unload(one.id(), false));

      assertThat(settled(instances.prewarm(two, Tier.HOST))).isEqualTo(Tier.HOST);
      assertThat(tier(instances, one)).as("another took its place").isEqualTo(Tier.DISK);
      assertThat(settled(instances.prewarm(one, Tier.HOST))).isEqualTo(Tier.HOST);
      assertThat(tier(instances, two)).isEqualTo(Tier.DISK);
      assertThat(backend.images().filledBytes()).isGreaterThan(2 * read);
    }
  }
}
