package dev.weft.bench.gpu;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.functions.ModelName;
import dev.weft.functions.ModelSource;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.engine.DeviceLoop;
import dev.weft.runtime.engine.Engine.Submission;
import dev.weft.runtime.engine.EngineObserver;
import dev.weft.runtime.gpu.GpuBackend;
import dev.weft.runtime.instance.ControlOutcome;
import dev.weft.runtime.instance.DeviceIdentity;
import dev.weft.runtime.instance.InstanceListener;
import dev.weft.runtime.instance.InstanceManager;
import dev.weft.runtime.instance.InstanceSettings;
import dev.weft.runtime.instance.Lookup;
import dev.weft.runtime.instance.ModelSupply;
import dev.weft.runtime.instance.ProfileStore;
import dev.weft.runtime.instance.ServingModel;
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
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// The runtime's process but for its server: functions of files are loaded when they are called,
/// and those that were called longest ago make room.
final class ColdRuntime implements AutoCloseable {
  private static final Duration LIMIT = Duration.ofMinutes(2);

  private final DeviceLoop engine;
  private final ChunkPool chunks;
  private final InstanceManager instances;
  private final ColdSizes sizes;
  private long requests;

  /// From a call of a function that is not on the device.
  ///
  /// @param loaded nanoseconds until it serves
  /// @param first until the first token
  record Start(long loaded, long first) {
    double seconds() {
      return first / 1e9;
    }
  }

  /// @param backend stays the caller's
  ColdRuntime(GpuBackend backend, long capacityBytes, Path home, ColdSizes sizes) {
    this.sizes = sizes;
    var ledger = new MemoryLedger(capacityBytes);
    engine = new DeviceLoop("bench", EngineObserver.NONE, SwapSpace.NONE);
    chunks = new ChunkPool(backend.openMemory(capacityBytes));
    instances =
        new InstanceManager(
            new InstanceManager.Device(
                new DeviceIdentity(new DeviceId("gpu-0"), "bench"),
                backend,
                engine,
                ledger,
                new Balloon(chunks, ledger, Balloon.Observer.NONE),
                ModelSupply.of(new ModelFetcher(SourceSettings.of(home, Map.of()))),
                ProfileStore.NONE),
            InstanceSettings.DEFAULT,
            InstanceListener.NONE,
            InstantSource.system());
  }

  /// A function with the weights of a directory.
  Revision function(String name, Path model) {
    return new Revision(
        new RevisionId(new FunctionName(name), 1),
        FunctionSpec.of(new Model(null, List.of(ModelSource.of("file:" + model)), sizes.context())),
        Instant.EPOCH);
  }

  /// Calls a function, which is loaded first when it is not there.
  Start call(Revision function) throws InterruptedException {
    long start = System.nanoTime();
    InstanceStatus status = settled(instances.load(function, false));
    if (status.tier() != Tier.READY) {
      throw new IllegalStateException(
          "%s is at tier %s: %s".formatted(function.id(), status.tier(), status.failure()));
    }
    long loaded = System.nanoTime();
    if (!(instances.acquire(ModelName.of(function.id().function()), Optional.of(function.id()))
        instanceof Lookup.Serving(var lease))) {
      throw new IllegalStateException(function.id() + " does not serve");
    }
    try (lease) {
      if (!(lease.model() instanceof ServingModel.Generator generator)) {
        throw new IllegalStateException(function.id() + " writes no text");
      }
      var answer = new Answer();
      int[] prompt = EngineRun.tokens(++requests, sizes.prompt(), sizes.shape().vocabulary());
      Submission submission =
          generator.decoder().submit(EngineRun.request("cold-" + requests, prompt, 1), answer);
      if (submission instanceof Submission.Rejected rejected) {
        throw new IllegalStateException("refused: " + rejected.message());
      }
      long first = answer.firstNanos(LIMIT);
      answer.usage(LIMIT);
      return new Start(loaded - start, first - start);
    }
  }

  void unload(Revision function) throws InterruptedException {
    settled(instances.unload(function.id(), false));
  }

  private static InstanceStatus settled(ControlOutcome outcome) throws InterruptedException {
    switch (outcome) {
      case ControlOutcome.Accepted(var _, var settled) -> {
        try {
          return settled.get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
          throw new IllegalStateException(e.getCause());
        } catch (TimeoutException e) {
          throw new IllegalStateException("not done within " + LIMIT, e);
        }
      }
      case ControlOutcome.Refused(var rejection) ->
          throw new IllegalStateException("refused: " + rejection.message());
    }
  }

  @Override
  public void close() {
    instances.close();
    engine.close();
    chunks.close();
  }
}
