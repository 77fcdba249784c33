package dev.weft.runtime.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.backend.ReferenceBackend;
import dev.weft.runtime.backend.UnsupportedModelException;
import dev.weft.runtime.gpu.cuda.CudaContext;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// Encoders whose texts are longer than a unit of attention and a tile, of several types and head
/// sizes, and with a product whose inputs are cut into slices: their vectors are the reference's,
/// and depend on nothing beside them.
class GpuEncoderTest {
  private static final int POSITIONS = 160;

  /// Passes of more rows than have blocks for each slice of a product.
  private static final CompileOptions OPTIONS =
      new CompileOptions(Quantization.NONE, POSITIONS, 0, 320, 8);

  private static final long TABLE_BYTES = 64 << 10;

  @Nested
  class Emulated extends Cases {
    @Override
    Backend open() {
      return EmulatedGpu.backend();
    }

    /// The emulator fills memory with what is not a number.
    @Test
    void whatIsInTheScratchDoesNotMatter() {
      try (ModelPackage model = model(DType.F32, 8);
          Backend backend = open();
          var memory = new CudaContext(EmulatedGpu.driver(), 0)) {
        EncoderSpec spec = (EncoderSpec) model.spec();
        long most = backend.footprint(spec, model.weights(), OPTIONS).activationBytes();
        List<int[]> texts = texts(3, 16, 70, 160);
        try (var clean = backend.compile(spec, model.weights(), OPTIONS);
            var dirty = backend.compile(spec, model.weights(), OPTIONS, new Dirty(memory, most))) {
          assertSame(dirty.forward(texts), clean.forward(texts));
        }
      }
    }

    @Test
    void comesBackFromTheHostsMemory() {
      List<int[]> texts = texts(20);
      try (ModelPackage model = model(DType.BF16, 4);
          GpuBackend backend = EmulatedGpu.backend(new HostMemoryLimit(64L << 20, 1 << 20))) {
        EncoderSpec spec = (EncoderSpec) model.spec();
        List<float[]> first;
        try (var encoder = backend.compile(spec, model.weights(), OPTIONS)) {
          first = encoder.forward(texts);
        }
        long read = backend.images().filledBytes();
        assertThat(read).isPositive();
        try (var encoder = backend.compile(spec, model.weights(), OPTIONS)) {
          assertSame(encoder.forward(texts), first);
        }
        assertThat(backend.images().filledBytes()).isEqualTo(read);
      }
    }

    @Test
    void takesWhatItSaid() {
      try (ModelPackage model = model(DType.BF16, 4);
          Backend backend = open()) {
        EncoderSpec spec = (EncoderSpec) model.spec();
        long before = EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES);
        var footprint = backend.footprint(spec, model.weights(), OPTIONS);
        try (var encoder = backend.compile(spec, model.weights(), OPTIONS)) {
          assertThat(encoder.forward(texts(5))).hasSize(1);
          assertThat(EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES) - before)
              .as("with tables, and whole chunks")
              .isBetween(
                  footprint.fixedBytes(),
                  footprint.fixedBytes() + TABLE_BYTES + ChunkMemory.CHUNK_BYTES);
        }
      }
    }
  }

  /// Memory of an executable of its own, which held no number before the first pass.
  private record Dirty(DeviceBuffer buffer) implements Scratch {
    Dirty(CudaContext context, long bytes) {
      this(new DeviceBuffer(context, bytes));
    }

    @Override
    public long acquire(long bytes) {
      assertThat(bytes).isLessThanOrEqualTo(buffer.byteSize());
      return buffer.address();
    }

    @Override
    public void close() {
      buffer.close();
    }
  }

  @Nested
  @EnabledIf(
      value = "dev.weft.runtime.gpu.RealGpu#isThere",
      disabledReason = "no usable NVIDIA driver, or no NVRTC")
  class OnTheDevice extends Cases {
    @Override
    Backend open() {
      return RealGpu.backend();
    }
  }

  abstract static class Cases {
    @TempDir private Path directory;

    abstract Backend open();

    ModelPackage model(DType type, int heads) {
      return ModelFiles.open(
          TinyModels.bert(directory, 3)
              .hidden(256)
              .heads(heads)
              .intermediate(1024)
              .positions(POSITIONS)
              .dtype(type)
              .writeGguf());
    }

    /// With activations in bfloat16 but for float32.
    @ParameterizedTest
    @CsvSource({"F32,4,0.99999", "F32,2,0.99999", "BF16,8,0.999", "F16,4,0.999", "Q8_0,4,0.999"})
    void vectorsAreTheReferences(DType type, int heads, double cosine) {
      try (ModelPackage model = model(type, heads);
          Backend reference = new ReferenceBackend(1);
          Backend backend = open();
          var expected = compile(reference, model);
          var actual = compile(backend, model)) {
        for (int length : new int[] {1, 17, 64, 65, POSITIONS}) {
          assertThat(
                  cosine(
                      actual.forward(texts(length)).getFirst(),
                      expected.forward(texts(length)).getFirst()))
              .as("%s, %d tokens", type, length)
              .isGreaterThanOrEqualTo(cosine);
        }
      }
    }

    @ParameterizedTest
    @EnumSource(
        value = DType.class,
        names = {"F32", "BF16", "Q4_K"})
    void vectorsDoNotDependOnNeighbours(DType type) {
      try (ModelPackage model = model(type, 4);
          Backend backend = open();
          var encoder = compile(backend, model)) {
        List<int[]> texts = texts(1, 63, 64, 65, 2, 100, POSITIONS, 16);
        List<float[]> together = encoder.forward(texts);
        assertThat(together).hasSameSizeAs(texts);
        for (int i = 0; i < texts.size(); i++) {
          assertThat(encoder.forward(List.of(texts.get(i))).getFirst())
              .as("%s, %d tokens", type, texts.get(i).length)
              .isEqualTo(together.get(i));
        }
      }
    }

    @ParameterizedTest
    @CsvSource({"MEAN,false", "CLS,true", "CLS,false"})
    void poolsAsTheModelSays(EncoderSpec.Pooling pooling, boolean normalize) {
      try (ModelPackage model = model(DType.F32, 4);
          Backend reference = new ReferenceBackend(1);
          Backend backend = open()) {
        EncoderSpec spec = pooled((EncoderSpec) model.spec(), pooling, normalize);
        try (var expected = reference.compile(spec, model.weights(), OPTIONS);
            var actual = backend.compile(spec, model.weights(), OPTIONS)) {
          float[] want = expected.forward(texts(40)).getFirst();
          float[] got = actual.forward(texts(40)).getFirst();
          double length = length(want);
          for (int i = 0; i < want.length; i++) {
            assertThat(Math.abs(got[i] - want[i])).isLessThan((float) (2e-3 * length));
          }
        }
      }
    }

    @Test
    void refusesWhatItsKernelsCannotRead() {
      Path file = TinyModels.bert(directory, 1).hidden(24).heads(6).writeGguf();
      try (ModelPackage model = ModelFiles.open(file);
          Backend backend = open()) {
        assertThatThrownBy(() -> backend.footprint(model.spec(), model.weights(), OPTIONS))
            .isInstanceOf(UnsupportedModelException.class)
            .hasMessageContaining("a head size of 4; this GPU runtime needs a multiple of 8");
      }
    }
  }

  private static EncoderSpec pooled(
      EncoderSpec spec, EncoderSpec.Pooling pooling, boolean normalize) {
    return new EncoderSpec(
        spec.family(),
        spec.vocabularySize(),
        spec.contextLength(),
        spec.layerCount(),
        spec.hiddenSize(),
        spec.intermediateSize(),
        spec.headCount(),
        spec.maxPositions(),
        spec.normEpsilon(),
        pooling,
        normalize);
  }

  private static EncoderExecutable compile(Backend backend, ModelPackage model) {
    return backend.compile((EncoderSpec) model.spec(), model.weights(), OPTIONS);
  }

  /// Of so many tokens each, within the small vocabulary.
  private static List<int[]> texts(int... lengths) {
    return IntStream.of(lengths)
        .mapToObj(length -> new SplittableRandom(length).ints(length, 0, 80).toArray())
        .toList();
  }

  private static void assertSame(List<float[]> actual, List<float[]> expected) {
    assertThat(actual.toArray(float[][]::new)).isDeepEqualTo(expected.toArray(float[][]::new));
  }

  private static double length(float[] vector) {
    double squares = 0;
    for (float x : vector) {
      squares += (double) x * x;
    }
    return Math.sqrt(squares);
  }

  private static double cosine(float[] a, float[] b) {
    double dot = 0;
    for (int i = 0; i < a.length; i++) {
      dot += (double) a[i] * b[i];
    }
    return dot / (length(a) * length(b));
  }
}
