package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.cpu.onednn.OneDnnEngine;
import dev.weft.runtime.cpu.onednn.OneDnnModel;
import dev.weft.runtime.cpu.onednn.WeightType;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Long prompts with oneDNN against the same without: the same bits in int8, nearly the same in
/// bf16.
class OneDnnTest {
  private static final int TOKENS = 397; // 256 + 128, and 13 rows that are left over

  @TempDir private Path directory;

  private List<float[]> logits(CpuBackend backend, ModelPackage model, Quantization quantization) {
    var options = new CompileOptions(quantization, 512, 100, 512, 4);
    int[] tokens = new SplittableRandom(1).ints(TOKENS, 0, 300).toArray();
    try (DecoderExecutable decoder =
        backend.compile((DecoderSpec) model.spec(), model.weights(), options)) {
      int[] blocks = Steps.blocks(decoder, 0, 1, TOKENS);
      return Steps.logits(decoder, tokens, blocks, List.of(TOKENS));
    }
  }

  private ModelPackage model() {
    Path file =
        TinyModels.llama(directory, 3)
            .hidden(288)
            .heads(6, 3)
            .intermediate(784)
            .context(512)
            .dtype(DType.BF16)
            .writeGguf();
    return ModelFiles.open(file);
  }

  /// Every shape passes its check here; were it not so, the tests below would compare a path with
  /// itself.
  @Test
  void primitivesPassTheirCheck() {
    Path natives = Path.of("target", "natives").toAbsolutePath();
    List<String> libraries =
        List.of(
            "org/bytedeco/dnnl/linux-x86_64/libdnnl.so.3",
            "org/bytedeco/dnnl/linux-x86_64/libgomp.so.1");
    Path directory = new NativeFiles(natives).unpack("onednn", libraries);
    int inputs = 100;
    int outputs = 80;
    byte[] weights = new byte[inputs * outputs * 2];
    new SplittableRandom(2).nextBytes(weights);
    for (int i = 1; i < weights.length; i += 2) {
      weights[i] = 0x3f; // as bfloat16: between 0.5 and 1
    }
    try (Arena arena = Arena.ofConfined();
        OneDnnEngine engine = OneDnnEngine.open(directory);
        OneDnnModel model = new OneDnnModel(engine, 2, 48)) {
      MemorySegment rowMajor = arena.allocateFrom(ValueLayout.JAVA_BYTE, weights);
      MemorySegment bytes = rowMajor.asSlice(0, (long) inputs * outputs);
      assertThat(model.add(WeightType.INT8, inputs, outputs, bytes)).isPresent();
      assertThat(model.add(WeightType.BF16, inputs, outputs, rowMajor)).isPresent();
    }
  }

  @Test
  void int8GivesTheBitsOfTheSmallKernels() {
    try (ModelPackage model = model();
        CpuBackend with = CpuDevices.backend();
        CpuBackend without = CpuDevices.withoutOneDnn()) {
      List<float[]> expected = logits(without, model, Quantization.W8A8);
      List<float[]> actual = logits(with, model, Quantization.W8A8);
      for (int row = 0; row < TOKENS; row++) {
        assertThat(actual.get(row)).as("row %d", row).isEqualTo(expected.get(row));
      }
    }
  }

  @Test
  void bf16IsNearTheSmallKernels() {
    try (ModelPackage model = model();
        CpuBackend with = CpuDevices.backend();
        CpuBackend without = CpuDevices.withoutOneDnn()) {
      List<float[]> expected = logits(without, model, Quantization.NONE);
      List<float[]> actual = logits(with, model, Quantization.NONE);
      double difference = 0;
      double length = 0;
      for (int row = 0; row < TOKENS; row++) {
        for (int i = 0; i < 300; i++) {
          double error = actual.get(row)[i] - expected.get(row)[i];
          difference += error * error;
          length += (double) expected.get(row)[i] * expected.get(row)[i];
        }
      }
      // Not zero: this path rounds activations to bfloat16, which shows that it ran.
      assertThat(Math.sqrt(difference / length)).isBetween(1e-6, 3e-2);
    }
  }
}
