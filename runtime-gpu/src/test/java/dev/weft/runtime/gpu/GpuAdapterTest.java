package dev.weft.runtime.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderDriver;
import dev.weft.runtime.backend.RandomAdapters;
import dev.weft.runtime.backend.ReferenceBackend;
import dev.weft.runtime.gpu.cuda.CudaException;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Adapters where a base's products are cut into slices, and the memory that adapters take.
class GpuAdapterTest {
  private static final int BLOCKS = 24;
  private static final CompileOptions OPTIONS =
      new CompileOptions(Quantization.NONE, 192, BLOCKS, 192, 4);

  /// A base whose widest input is cut into slices.
  private static ModelPackage model(Path directory, DType type) {
    return ModelFiles.open(
        TinyModels.llama(directory, 5)
            .hidden(256)
            .layers(1)
            .intermediate(1024)
            .dtype(type)
            .writeGguf());
  }

  @Nested
  class Emulated extends Cases {
    @Override
    Backend open() {
      return EmulatedGpu.backend();
    }

    @AfterEach
    void giveMemoryBack() {
      EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES);
    }

    @Test
    void takesWhatItSaidUntilItIsRemoved() {
      long atFirst = EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES);
      try (ModelPackage model = model(directory, DType.BF16);
          Backend backend = open()) {
        var spec = (DecoderSpec) model.spec();
        var adapter = RandomAdapters.all(spec, 16, DType.F16, 1);
        try (var decoder = backend.compile(spec, model.weights(), OPTIONS)) {
          long before = EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES);
          int handle = decoder.addAdapter(adapter);
          assertThat(EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES) - before)
              .isEqualTo(decoder.adapterBytes(adapter));
          decoder.removeAdapter(handle);
          assertThat(EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES)).isEqualTo(before);
          decoder.addAdapter(adapter);
        }
      }
      assertThat(EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES))
          .as("a base takes what is left along")
          .isEqualTo(atFirst);
    }

    @Test
    void whatDoesNotFitLeavesTheBaseAsItWas() {
      try (ModelPackage model = model(directory, DType.F32);
          Backend backend = open();
          var decoder = backend.compile((DecoderSpec) model.spec(), model.weights(), OPTIONS)) {
        var adapter = RandomAdapters.all((DecoderSpec) model.spec(), 8, DType.F32, 1);
        var driver = new DecoderDriver(decoder, BLOCKS);
        float[][] plain = driver.logits(tokens(5));
        EmulatedGpu.memory(EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES) + 1000);

        assertThatThrownBy(() -> decoder.addAdapter(adapter))
            .isInstanceOfSatisfying(CudaException.class, e -> assertThat(e.outOfMemory()).isTrue());
        EmulatedGpu.memory(EmulatedGpu.MEMORY_BYTES);
        assertThat(driver.logits(tokens(5))).isDeepEqualTo(plain);
        assertThat(driver.logits(decoder.addAdapter(adapter), tokens(5), new int[0]))
            .isNotEqualTo(plain);
      }
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
    @TempDir Path directory;

    abstract Backend open();

    /// Steps of few rows leave slices to be added, those of many do not.
    @ParameterizedTest
    @EnumSource(
        value = DType.class,
        names = {"F32", "BF16", "Q8_0"})
    void rowsAreTheSameWhereSlicesAreKept(DType type) {
      try (ModelPackage model = model(directory, type);
          Backend backend = open();
          var decoder = backend.compile((DecoderSpec) model.spec(), model.weights(), OPTIONS)) {
        int handle =
            decoder.addAdapter(RandomAdapters.all((DecoderSpec) model.spec(), 9, DType.BF16, 2));
        var driver = new DecoderDriver(decoder, BLOCKS);
        int[] tokens = tokens(150);
        float[][] whole = driver.logits(handle, tokens, new int[0]);

        assertThat(driver.logits(handle, tokens, new int[] {20, 1, 128})).isDeepEqualTo(whole);
      }
    }

    /// A base in bfloat16 differs by its own activations, not by its adapter's.
    @Test
    void isTheReferencesOnABaseInBfloat16() {
      try (ModelPackage model = model(directory, DType.BF16);
          Backend reference = new ReferenceBackend(1);
          Backend backend = open();
          var expected = reference.compile((DecoderSpec) model.spec(), model.weights(), OPTIONS);
          var actual = backend.compile((DecoderSpec) model.spec(), model.weights(), OPTIONS)) {
        var adapter = RandomAdapters.all((DecoderSpec) model.spec(), 12, DType.F32, 3);
        int[] tokens = tokens(33);
        float[][] want =
            new DecoderDriver(expected, BLOCKS)
                .logits(expected.addAdapter(adapter), tokens, new int[0]);
        float[][] got =
            new DecoderDriver(actual, BLOCKS)
                .logits(actual.addAdapter(adapter), tokens, new int[0]);

        assertThat(difference(got, want)).isLessThan(0.08);
      }
    }
  }

  private static int[] tokens(int count) {
    return new SplittableRandom(count).ints(count, 3, 250).toArray();
  }

  /// The largest, in standard deviations of what is expected.
  private static double difference(float[][] actual, float[][] expected) {
    double most = 0;
    double squares = 0;
    long count = 0;
    for (int row = 0; row < expected.length; row++) {
      for (int i = 0; i < expected[row].length; i++) {
        double difference = Math.abs(actual[row][i] - expected[row][i]);
        // Not a number must not pass.
        most = difference <= most ? most : difference;
        squares += (double) expected[row][i] * expected[row][i];
        count++;
      }
    }
    return most / Math.sqrt(squares / count);
  }
}
