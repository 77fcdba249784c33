package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.DeviceStatus;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.engine.DeviceLoop;
import dev.weft.runtime.engine.EngineObserver;
import dev.weft.runtime.engine.GenerationListener.FinishReason;
import dev.weft.runtime.engine.RecordingListener;
import dev.weft.runtime.engine.Requests;
import dev.weft.runtime.instance.ControlOutcome;
import dev.weft.runtime.instance.DeviceIdentity;
import dev.weft.runtime.instance.InstanceListener;
import dev.weft.runtime.instance.InstanceManager;
import dev.weft.runtime.instance.InstanceSettings;
import dev.weft.runtime.instance.Lease;
import dev.weft.runtime.instance.Lookup;
import dev.weft.runtime.instance.ModelSupply;
import dev.weft.runtime.instance.ProfileStore;
import dev.weft.runtime.instance.ServingModel;
import dev.weft.runtime.memory.Balloon;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.ChunkPool;
import dev.weft.runtime.memory.MemoryLedger;
import dev.weft.runtime.memory.SwapSpace;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.source.ModelFetcher;
import dev.weft.runtime.source.SourceSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A device of the native backend with its real memory: what moves between instances leaves their
/// answers as they are, and what is unloaded leaves nothing behind.
@SuppressWarnings("NullAway.Init") // Each test opens what it needs, with a capacity of its own.
class ElasticMemoryTest {
  private static final int CONTEXT = 512;

  @TempDir private Path directory;

  private CpuBackend backend;
  private DeviceLoop engine;
  private MemoryLedger ledger;
  private ChunkPool chunks;
  private InstanceManager instances;
  private Path model;
  private final AtomicInteger taken = new AtomicInteger();
  private final AtomicInteger moved = new AtomicInteger();

  @BeforeEach
  void writeModel() {
    backend = CpuDevices.backend();
    // 4 KiB of KV a token: a context is one chunk.
    model = TinyModels.llama(directory, 5).hidden(256).heads(8, 8).context(CONTEXT).writeGguf();
  }

  private void open(long capacityBytes) {
    engine = new DeviceLoop("test", EngineObserver.NONE, SwapSpace.NONE);
    ledger = new MemoryLedger(capacityBytes);
    chunks = new ChunkPool(backend.openMemory(capacityBytes));
    var balloon = new Balloon(chunks, ledger, new Counting());
    instances =
        new InstanceManager(
            new InstanceManager.Device(
                new DeviceIdentity(new DeviceId("test-0"), "run"),
                backend,
                engine,
                ledger,
                balloon,
                ModelSupply.of(new ModelFetcher(SourceSettings.of(directory, Map.of()))),
                ProfileStore.NONE),
            new InstanceSettings(64, 16, 1, Duration.ofMillis(1), Duration.ofMillis(5)),
            InstanceListener.NONE,
            InstantSource.system());
  }

  private final class Counting implements Balloon.Observer {
    @Override
    public void onInflated(String owner, int count, int fromOthers, Duration stall) {
      taken.addAndGet(fromOthers);
    }

    @Override
    public void onMoved(String owner, int blocks) {
      moved.addAndGet(blocks);
    }
  }

  @AfterEach
  void everythingIsGivenBack() {
    instances.close();
    engine.close();
    assertThat(ledger.snapshot().plannedBytes()).isZero();
    assertThat(ledger.snapshot().actualBytes()).isZero();
    assertThat(chunks.freeCount()).isEqualTo(chunks.chunkCount());
    chunks.close();
    backend.close();
  }

  private Revision revision(String name) {
    return new Revision(
        new RevisionId(new FunctionName(name), 1),
        FunctionSpec.of(new Model(null, List.of(ModelSource.of("file:" + model)), null)),
        Instant.EPOCH);
  }

  private void load(String name) {
    if (!(instances.load(revision(name), false)
        instanceof ControlOutcome.Accepted(InstanceStatus _, var settled))) {
      throw new AssertionError("the load was refused");
    }
    InstanceStatus status = settled.orTimeout(60, TimeUnit.SECONDS).join();
    assertThat(status.tier()).as("%s", status.failure()).isEqualTo(Tier.READY);
  }

  private Lease lease(String name) {
    return switch (instances.acquire(new FunctionName(name), Optional.empty())) {
      case Lookup.Serving(Lease lease) -> lease;
      case Lookup other -> throw new AssertionError("not serving: " + other);
    };
  }

  private static RecordingListener send(Lease lease, int prompt, int tokens) {
    var generator = (ServingModel.Generator) lease.model();
    int[] ids = new int[prompt];
    for (int i = 0; i < prompt; i++) {
      ids[i] = 10 + (i * 31 + prompt) % 200;
    }
    return Requests.of(ids).maxTokens(tokens).ignoringEnd().submitTo(generator.decoder());
  }

  private List<List<Integer>> answers(List<RecordingListener> sent) {
    var answers = new ArrayList<List<Integer>>();
    for (RecordingListener listener : sent) {
      var end = listener.await();
      assertThat(end.finishReason()).isEqualTo(FinishReason.LENGTH);
      answers.add(end.ids());
    }
    return answers;
  }

  @Test
  void answersAreTheSameWhileMemoryMoves() {
    open(1L << 30);
    load("one");
    long fixedBytes = ledger.snapshot().plannedBytes();
    assertThat(instances.status().memory().chunks().activations())
        .as("nothing is mapped before the first step")
        .isZero();
    List<List<Integer>> expected = new ArrayList<>();
    try (Lease lease = lease("one")) {
      for (int i = 0; i < 16; i++) {
        expected.addAll(answers(List.of(send(lease, 40 + i, 400))));
      }
    }
    int activationChunks = instances.status().memory().chunks().activations();
    everythingIsGivenBack();

    // Room for both and six contexts between them, where each has sixteen requests.
    backend = CpuDevices.backend();
    open(2 * fixedBytes + 6 * ChunkMemory.CHUNK_BYTES);
    load("one");
    load("two");
    try (Lease one = lease("one");
        Lease two = lease("two")) {
      var sentToOne = new ArrayList<RecordingListener>();
      var sentToTwo = new ArrayList<RecordingListener>();
      for (int i = 0; i < 16; i++) {
        sentToOne.add(send(one, 40 + i, 400));
      }
      sentToOne.getFirst().awaitFirstToken();
      for (int i = 0; i < 16; i++) {
        sentToTwo.add(send(two, 40 + i, 400));
      }
      assertThat(answers(sentToOne)).isEqualTo(expected);
      assertThat(answers(sentToTwo)).isEqualTo(expected);
    }
    assertThat(taken).hasPositiveValue();
    assertThat(instances.status().memory().chunks().activations())
        .as("both compute in the same chunks")
        .isBetween(1, activationChunks);
    DeviceStatus.Memory memory = instances.status().memory();
    assertThat(memory.actualBytes()).isLessThanOrEqualTo(memory.capacityBytes());
  }

  @Test
  void aThousandLoadsLeaveNothingBehind() throws IOException {
    open(1L << 30);
    for (int i = 0; i < 50; i++) {
      cycle();
    }
    long mappings = mappings();
    long kilobytes = residentKilobytes();
    for (int i = 50; i < 1_000; i++) {
      cycle();
    }
    assertThat(ledger.snapshot().holdings()).isEmpty();
    assertThat(chunks.freeCount()).isEqualTo(chunks.chunkCount());
    assertThat(mappings()).isLessThanOrEqualTo(mappings + 20);
    // A chunk a cycle would be 1.9 GB.
    assertThat(residentKilobytes() - kilobytes).isLessThan(150_000);
  }

  private void cycle() {
    load("one");
    try (Lease lease = lease("one")) {
      answers(List.of(send(lease, 3, 2)));
    }
    assertThat(instances.unload(revision("one").id(), false))
        .isInstanceOf(ControlOutcome.Accepted.class);
  }

  private static long mappings() throws IOException {
    try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines.count();
    }
  }

  private static long residentKilobytes() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", ""));
      }
    }
    throw new IOException("no VmRSS in /proc/self/status");
  }
}
