package dev.weft.runtime.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderDriver;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.backend.PendingStep;
import dev.weft.runtime.backend.RandomAdapters;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TensorNames;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.SourceFile;
import dev.weft.runtime.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Steps of a model whose weights are on their way: the emulator holds the stream that they are
/// copied on, or the threads that submit to it. Memory of the device is not a number before it is
/// written, so a kernel that ran too early would be seen.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class WeightArrivalTest {
  private static final long SLAB = 64 << 10;
  private static final int LAYERS = 4;
  private static final int BLOCKS = 8;
  private static final int[] TOKENS = {5, 17, 9, 200, 31};
  private static final Duration A_WHILE = Duration.ofMillis(200);
  private static final Duration LONG = Duration.ofSeconds(60);
  private static final CompileOptions OPTIONS =
      new CompileOptions(Quantization.NONE, 64, BLOCKS, 16, 4);

  @TempDir private Path directory;
  private final List<ModelPackage> open = new ArrayList<>();
  private final GpuBackend backend = EmulatedGpu.backend(new HostMemoryLimit(200 * SLAB, SLAB));

  @AfterEach
  void close() {
    EmulatedGpu.release();
    open.forEach(ModelPackage::close);
    backend.close();
  }

  /// Ends what a test holds up, also when the test fails, before that is closed.
  private interface Held extends AutoCloseable {
    @Override
    void close();
  }

  private ModelPackage model() {
    return opened(TinyModels.llama(directory, 3).layers(LAYERS).qwen2().writeGguf());
  }

  private ModelPackage opened(Path path) {
    ModelPackage model = ModelFiles.open(path);
    open.add(model);
    return model;
  }

  private DecoderExecutable compile(ModelPackage model) {
    return compile(model, model.weights());
  }

  private DecoderExecutable compile(ModelPackage model, Weights weights) {
    return backend.compile((DecoderSpec) model.spec(), weights, OPTIONS);
  }

  private static PendingStep submit(DecoderExecutable decoder) {
    return submit(decoder, StepBatch.Entry.NO_ADAPTER);
  }

  private static PendingStep submit(DecoderExecutable decoder, int adapter) {
    StepBatch.Entry entry =
        new DecoderDriver(decoder, BLOCKS).start(adapter).entry(List.of(), TOKENS);
    return decoder.forward(new StepBatch(List.of(entry)));
  }

  private static float[][] logits(PendingStep step) {
    return step.await().entries().getFirst().logits();
  }

  private static float[][] logits(DecoderExecutable decoder) {
    return logits(submit(decoder));
  }

  /// Of a decoder that is whole before its first step, whose weights come another way.
  private static float[][] expected(ModelPackage model) {
    try (GpuBackend staging = EmulatedGpu.backend();
        var decoder = staging.compile((DecoderSpec) model.spec(), model.weights(), OPTIONS)) {
      assertThat(decoder.arrival().over()).isTrue();
      return logits(decoder);
    }
  }

  private boolean isKept(ModelPackage model) {
    return backend.hostTier().has(model.weights().files(), false);
  }

  private static long memory() {
    return EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES);
  }

  private void bring(ModelPackage model) {
    assertThat(backend.hostTier().bring(model.spec(), model.weights())).isTrue();
  }

  @Test
  void eachLayerIsComputedOnceItsWeightsAreThere() {
    ModelPackage model = model();
    bring(model);
    EmulatedGpu.hold(false);
    try (var decoder = compile(model);
        Held _ = EmulatedGpu::release) {
      assertThat(decoder.arrival().over()).isFalse();
      long before = EmulatedGpu.launches();
      PendingStep step = submit(decoder);
      Set<Long> launched = new TreeSet<>();
      do {
        launched.add(EmulatedGpu.launches());
      } while (EmulatedGpu.release(1) == 0);

      assertThat(launched).first().isEqualTo(before);
      assertThat(launched).as("nothing, embedding, layers, logits").hasSize(1 + 1 + LAYERS + 1);
      float[][] logits = logits(step);
      decoder.arrival().await();
      assertThat(decoder.arrival().over()).isTrue();
      assertThat(logits(decoder)).as("as a graph").isDeepEqualTo(logits);
      EmulatedGpu.release();
      assertThat(logits).isDeepEqualTo(expected(model));
    }
  }

  @Test
  void aStepWaitsForWhatHasStillToBeRead() {
    ModelPackage model = model();
    EmulatedGpu.hold(true);
    try (var decoder = compile(model);
        Held _ = EmulatedGpu::release) {
      long before = EmulatedGpu.launches();
      CompletableFuture<float[][]> step = CompletableFuture.supplyAsync(() -> logits(decoder));
      Set<Long> launched = new TreeSet<>();
      while (!step.isDone()) {
        EmulatedGpu.release(1);
        launched.add(EmulatedGpu.launches());
      }
      assertThat(launched).as("it began before all was read").hasSizeGreaterThan(2);
      assertThat(launched).first().isEqualTo(before);
      decoder.arrival().await();
      assertThat(isKept(model)).isTrue();
      EmulatedGpu.release();
      assertThat(step.join()).isDeepEqualTo(expected(model));
      assertThat(logits(decoder)).isDeepEqualTo(step.join());
    }
  }

  @Test
  void whoCanWaitIsToldWhenTheRestIsNear() {
    ModelPackage model = model();
    bring(model);
    EmulatedGpu.hold(false);
    try (var decoder = compile(model);
        Held _ = EmulatedGpu::release) {
      var near =
          CompletableFuture.runAsync(() -> decoder.arrival().awaitNear(Duration.ofDays(100)));
      assertThat(near).as("nobody can tell yet").failsWithin(A_WHILE);
      long before = EmulatedGpu.launches();
      submit(decoder);
      while (EmulatedGpu.launches() == before) {
        EmulatedGpu.release(1);
      }
      assertThat(near).succeedsWithin(LONG);
      assertThat(decoder.arrival().over()).isFalse();
      EmulatedGpu.release();
      decoder.arrival().await();
    }
  }

  /// Weights of which one tensor can no longer be read.
  private record Broken(Weights weights, String name) implements Weights {
    @Override
    public Optional<Tensor> find(String wanted) {
      return weights.find(wanted).map(tensor -> wanted.equals(name) ? gone(tensor) : tensor);
    }

    private static Tensor gone(Tensor tensor) {
      try (Arena arena = Arena.ofShared()) {
        MemorySegment data = arena.allocate(tensor.data().byteSize());
        return new Tensor(tensor.name(), tensor.dtype(), tensor.shape(), data);
      }
    }

    @Override
    public Set<String> names() {
      return weights.names();
    }

    @Override
    public long byteSize() {
      return weights.byteSize();
    }

    @Override
    public List<SourceFile> files() {
      return weights.files();
    }

    @Override
    public void close() {}
  }

  @Test
  void aFileThatCannotBeReadFailsStepsAndLeavesNothing() {
    ModelPackage model = model();
    var broken = new Broken(model.weights(), TensorNames.weight(LAYERS - 1, "ffn_down"));
    long before = memory();
    try (var decoder = compile(model, broken)) {
      for (int i = 0; i < 2; i++) {
        assertThatThrownBy(() -> logits(decoder))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageStartingWith("weights did not get to the device: ");
      }
      assertThatThrownBy(() -> decoder.arrival().await())
          .hasMessageStartingWith("weights did not get to the device: ");
      assertThatThrownBy(() -> decoder.arrival().awaitNear(Duration.ZERO))
          .hasMessageStartingWith("weights did not get to the device: ");
      assertThat(decoder.arrival().over()).isTrue();
    }
    assertThat(memory()).isEqualTo(before);
    assertThat(isKept(model)).isFalse();

    try (var decoder = compile(model)) {
      assertThat(logits(decoder)).isDeepEqualTo(expected(model));
    }
    assertThat(isKept(model)).isTrue();
  }

  @Test
  void aDecoderThatIsClosedLetsCopiesEndFirst() {
    ModelPackage model = model();
    bring(model);
    long before = memory();
    long strays = EmulatedGpu.strays();
    EmulatedGpu.hold(false);
    var closed = CompletableFuture.runAsync(compile(model)::close);
    assertThat(closed).failsWithin(A_WHILE);
    EmulatedGpu.release();
    assertThat(closed).succeedsWithin(LONG);
    assertThat(EmulatedGpu.strays()).isEqualTo(strays);
    assertThat(memory()).isEqualTo(before);
    assertThat(isKept(model)).isTrue();
  }

  @Test
  void aDecoderThatIsClosedReadsNoFurther() {
    ModelPackage model = model();
    long before = memory();
    long strays = EmulatedGpu.strays();
    EmulatedGpu.hold(true);
    var decoder = compile(model);
    var closed = CompletableFuture.runAsync(decoder::close);
    assertThat(closed).failsWithin(A_WHILE);
    EmulatedGpu.release();
    assertThat(closed).succeedsWithin(LONG);
    assertThat(EmulatedGpu.strays()).isEqualTo(strays);
    assertThat(memory()).isEqualTo(before);
    assertThat(isKept(model)).isFalse();
    assertThat(backend.images().filledBytes()).isLessThan(model.weights().byteSize() / 2);
    assertThatThrownBy(() -> decoder.arrival().await()).hasMessageContaining("was closed");

    try (var again = compile(model)) {
      assertThat(logits(again)).isDeepEqualTo(expected(model));
    }
  }

  @Test
  void twoLoadsOfTheSameFilesReadThemOnce() {
    ModelPackage model = model();
    EmulatedGpu.hold(true);
    try (var first = compile(model);
        Held _ = EmulatedGpu::release) {
      CompletableFuture<DecoderExecutable> second =
          CompletableFuture.supplyAsync(() -> compile(model));
      assertThat(second).failsWithin(A_WHILE);
      EmulatedGpu.release();
      assertThat(second).succeedsWithin(LONG);
      try (DecoderExecutable other = second.join()) {
        assertThat(logits(other)).isDeepEqualTo(expected(model));
        assertThat(logits(first)).isDeepEqualTo(logits(other));
      }
    }
    assertThat(backend.images().filledBytes())
        .isBetween(model.weights().byteSize() / 2, model.weights().byteSize() * 3 / 2);
  }

  @Test
  void anAdapterIsAddedMeanwhile() {
    ModelPackage model = model();
    var adapter = RandomAdapters.all((DecoderSpec) model.spec(), 4, DType.F16, 1);
    bring(model);
    EmulatedGpu.hold(false);
    try (var decoder = compile(model);
        Held _ = EmulatedGpu::release) {
      int handle = decoder.addAdapter(adapter);
      PendingStep step = submit(decoder, handle);
      EmulatedGpu.release();
      float[][] logits = logits(step);
      decoder.arrival().await();
      assertThat(logits(submit(decoder, handle))).isDeepEqualTo(logits);
      assertThat(logits(decoder)).isNotEqualTo(logits).isDeepEqualTo(expected(model));
    }
  }

  @Test
  void anEncoderIsWholeWhenItIsThere() {
    ModelPackage model = opened(TinyModels.bert(directory, 3).writeSafetensors());
    var spec = (EncoderSpec) model.spec();
    List<int[]> texts = List.of(new int[] {5, 6, 7}, new int[] {8, 9});
    List<float[]> read;
    try (var encoder = backend.compile(spec, model.weights(), OPTIONS)) {
      read = encoder.forward(texts);
    }
    EmulatedGpu.hold(false);
    CompletableFuture<EncoderExecutable> compiled =
        CompletableFuture.supplyAsync(() -> backend.compile(spec, model.weights(), OPTIONS));
    assertThat(compiled).failsWithin(A_WHILE);
    EmulatedGpu.release();
    try (EncoderExecutable encoder = compiled.join()) {
      assertThat(encoder.forward(texts)).usingRecursiveComparison().isEqualTo(read);
    }
  }
}
