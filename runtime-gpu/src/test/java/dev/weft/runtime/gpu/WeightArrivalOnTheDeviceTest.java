package dev.weft.runtime.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderDriver;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/// Steps that are submitted as soon as a model can be asked, from files and from the host's memory,
/// give the bits of one whose weights were all there.
@EnabledIf(
    value = "dev.weft.runtime.gpu.RealGpu#isThere",
    disabledReason = "no usable NVIDIA driver, or no NVRTC: see weft-runtime-gpu --probe")
class WeightArrivalOnTheDeviceTest {
  private static final int LOADS = 6;
  private static final int BLOCKS = 8;
  private static final CompileOptions OPTIONS =
      new CompileOptions(Quantization.NONE, 64, BLOCKS, 64, 4);

  @TempDir private Path directory;

  private static float[][] logits(Backend backend, ModelPackage model) {
    int[] tokens = new SplittableRandom(1).ints(40, 3, 250).toArray();
    try (var decoder = backend.compile((DecoderSpec) model.spec(), model.weights(), OPTIONS)) {
      return new DecoderDriver(decoder, BLOCKS).logits(tokens);
    }
  }

  @Test
  void stepsWaitForTheirWeights() {
    Path file =
        TinyModels.llama(directory, 3)
            .hidden(512)
            .layers(12)
            .heads(8, 2)
            .intermediate(4096)
            .dtype(DType.BF16)
            .writeGguf();
    try (ModelPackage model = ModelFiles.open(file);
        GpuBackend staging = RealGpu.backend();
        GpuBackend backend =
            RealGpu.backend(new HostMemoryLimit(1L << 30, HostMemoryLimit.SLAB_BYTES))) {
      float[][] expected = logits(staging, model);
      for (int i = 0; i < LOADS; i++) {
        assertThat(logits(backend, model)).as("load %d", i).isDeepEqualTo(expected);
      }
    }
  }
}
