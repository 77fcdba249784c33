package dev.weft.runtime.instance;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.runtime.engine.DeviceLoop;
import dev.weft.runtime.engine.EngineObserver;
import dev.weft.runtime.memory.Balloon;
import dev.weft.runtime.memory.ChunkPool;
import dev.weft.runtime.memory.MemoryLedger;
import dev.weft.runtime.memory.SwapSpace;
import dev.weft.runtime.source.ModelFetcher;
import dev.weft.runtime.source.SourceSettings;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/// An instance manager over a scripted backend, with a clock that moves a second a reading, so that
/// least recently used has one meaning.
public final class TestDevice implements AutoCloseable {
  /// What one scripted decoder with a context of 256 takes.
  public static final long INSTANCE_BYTES =
      ScriptedBackend.WEIGHT_BYTES
          + 256 / ScriptedBackend.BLOCK_TOKENS * ScriptedBackend.BLOCK_BYTES;

  public final ScriptedBackend backend;
  public final DeviceLoop engine;
  public final MemoryLedger ledger;
  public final ChunkPool chunks;
  public final InstanceManager instances;

  public TestDevice(Path home, ScriptedBackend backend, long capacityBytes) {
    this.backend = backend;
    this.engine = new DeviceLoop("test", EngineObserver.NONE, SwapSpace.NONE);
    this.ledger = new MemoryLedger(capacityBytes);
    this.chunks = new ChunkPool(backend.openMemory(capacityBytes));
    AtomicLong second = new AtomicLong(1_700_000_000);
    InstantSource clock = () -> Instant.ofEpochSecond(second.incrementAndGet());
    this.instances =
        new InstanceManager(
            new InstanceManager.Device(
                new DeviceIdentity(new DeviceId("test-0"), "run"),
                backend,
                engine,
                ledger,
                new Balloon(chunks, ledger, Balloon.Observer.NONE),
                ModelSupply.of(new ModelFetcher(SourceSettings.of(home, Map.of()))),
                ProfileStore.NONE),
            new InstanceSettings(64, 8, 4, Duration.ofMillis(1), Duration.ofMillis(5)),
            InstanceListener.NONE,
            clock);
  }

  public static Revision revision(String name, Path model) {
    return new Revision(
        new RevisionId(new FunctionName(name), 1),
        FunctionSpec.of(new Model(null, List.of(ModelSource.of("file:" + model)), null)),
        Instant.EPOCH);
  }

  /// An adapter of `base`, whose files are at `path`.
  public static Revision adapter(String name, Revision base, Path path) {
    Revision own = revision(name, path);
    FunctionSpec spec = own.spec();
    return new Revision(
        own.id(),
        new FunctionSpec(
            spec.model(),
            base.id().function(),
            spec.quantization(),
            spec.kvCache(),
            spec.serviceLevel(),
            spec.scaling(),
            spec.devices(),
            spec.limits()),
        own.createdAt());
  }

  /// Loads an adapter onto its base, and waits for the end of it.
  public InstanceStatus load(Revision adapter, Revision base) {
    return settled(instances.load(adapter, false, Optional.of(base)));
  }

  /// Loads, and waits for the end of it, good or bad.
  public InstanceStatus load(Revision revision, boolean pinned) {
    return settled(instances.load(revision, pinned));
  }

  public static InstanceStatus settled(ControlOutcome outcome) {
    if (outcome instanceof ControlOutcome.Accepted(InstanceStatus _, var settled)) {
      return settled.orTimeout(30, TimeUnit.SECONDS).join();
    }
    throw new AssertionError("refused: " + outcome);
  }

  public InstanceStatus status(Revision revision) {
    return instances.status().instances().stream()
        .filter(instance -> instance.revision().equals(revision.id()))
        .findFirst()
        .orElseThrow();
  }

  @Override
  public void close() {
    instances.close();
    engine.close();
    chunks.close();
    backend.close();
  }
}
