package dev.weft.runtime.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.backend.Backend.CompileOptions;
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
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.ChunkPool;
import dev.weft.runtime.memory.MemoryLedger;
import dev.weft.runtime.memory.SwapSpace;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.TinyAdapter;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.source.ModelFetcher;
import dev.weft.runtime.source.SourceSettings;
import dev.weft.runtime.tensor.DType;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A card whose memory is full of a base and its adapters lets the adapter go that was used longest
/// ago, and no more.
class GpuAdapterInstancesTest {
  private static final InstanceSettings SETTINGS = InstanceSettings.DEFAULT;
  private static final int RANK = 8;

  @TempDir private Path directory;
  private final GpuBackend backend = EmulatedGpu.backend();

  private static Revision revision(String name, Path files, @Nullable FunctionName base) {
    FunctionSpec spec =
        FunctionSpec.of(new Model(null, List.of(ModelSource.of("file:" + files)), null));
    return new Revision(
        new RevisionId(new FunctionName(name), 1),
        new FunctionSpec(
            spec.model(),
            base,
            spec.quantization(),
            spec.kvCache(),
            spec.serviceLevel(),
            spec.scaling(),
            spec.devices(),
            spec.limits()),
        Instant.EPOCH);
  }

  private Revision adapter(String name, DecoderSpec spec, Revision base) {
    return revision(
        name,
        TinyAdapter.of(spec, RANK, DType.BF16, name.hashCode()).writePeft(directory.resolve(name)),
        base.id().function());
  }

  private static InstanceStatus settled(ControlOutcome outcome) {
    if (outcome instanceof ControlOutcome.Accepted(var _, var settled)) {
      return settled.join();
    }
    throw new AssertionError("refused: " + outcome);
  }

  private static InstanceStatus status(InstanceManager instances, Revision revision) {
    return instances.status().instances().stream()
        .filter(instance -> instance.revision().equals(revision.id()))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void adaptersComeAndGoByTheirBytes() {
    Path file = TinyModels.llama(directory, 1).writeGguf();
    Revision base = revision("base", file, null);
    DecoderSpec spec;
    long adapterBytes;
    long baseBytes;
    try (var files = ModelFiles.open(file)) {
      spec = (DecoderSpec) files.spec();
      var options =
          new CompileOptions(
              base.spec().quantization(),
              spec.contextLength(),
              0,
              SETTINGS.maxBatchTokens(),
              SETTINGS.maxSequences());
      var footprint = backend.footprint(spec, files.weights(), options);
      long chunk = ChunkMemory.CHUNK_BYTES;
      int context =
          footprint.kv().tiling(chunk).chunksFor(footprint.kv().blocksFor(spec.contextLength()));
      long scratch = Math.ceilDiv(footprint.activationBytes(), chunk);
      baseBytes = footprint.weightBytes() + (scratch + context) * chunk;
      adapterBytes =
          GpuAdapter.bytes(
              TinyAdapter.of(spec, RANK, DType.BF16, 1).weights(),
              spec.layerCount(),
              SETTINGS.maxBatchTokens());
    }
    long capacity = baseBytes + 2 * adapterBytes;
    var ledger = new MemoryLedger(capacity);
    // So that least recently used has one meaning.
    var second = new AtomicLong();
    InstantSource clock = () -> Instant.ofEpochSecond(second.incrementAndGet());
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
                SETTINGS,
                InstanceListener.NONE,
                clock)) {
      Revision a = adapter("a", spec, base);
      Revision b = adapter("b", spec, base);
      Revision c = adapter("c", spec, base);
      for (Revision each : List.of(a, b)) {
        InstanceStatus loaded = settled(instances.load(each, false, Optional.of(base)));
        assertThat(loaded.tier()).as("%s", loaded).isEqualTo(Tier.READY);
        assertThat(loaded.weightBytes()).isEqualTo(adapterBytes);
      }
      long used = EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES);

      InstanceStatus third = settled(instances.load(c, false, Optional.of(base)));
      assertThat(third.tier()).as("%s", third).isEqualTo(Tier.READY);
      assertThat(status(instances, a).tier()).isEqualTo(Tier.DISK);
      assertThat(status(instances, base).adapters()).containsExactly("b", "c");
      assertThat(EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES)).isEqualTo(used);

      settled(instances.unload(base.id(), false));
      assertThat(status(instances, c).tier()).isEqualTo(Tier.DISK);
      assertThat(ledger.snapshot().plannedBytes()).isZero();
    } finally {
      backend.close();
    }
  }
}
