package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderDriver;
import dev.weft.runtime.backend.RandomAdapters;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CpuAdapterTest {
  private static final int BLOCKS = 24;

  /// Widths that fill neither vectors nor panels.
  @Test
  void everyInstructionSetAndTeamGivesTheSameBits(@TempDir Path directory) {
    try (ModelPackage model =
        ModelFiles.open(
            TinyModels.llama(directory, 3)
                .hidden(72)
                .heads(6, 3)
                .intermediate(104)
                .dtype(DType.F16)
                .writeGguf())) {
      var spec = (DecoderSpec) model.spec();
      var results = new ArrayList<float[][]>();
      for (Isa isa : CpuDevices.instructionSets()) {
        for (int threads : new int[] {1, 2, 3}) {
          results.add(logits(isa, threads, spec, model));
        }
      }
      for (float[][] result : results) {
        assertThat(Arrays.deepEquals(result, results.getFirst())).isTrue();
      }
    }
  }

  private static float[][] logits(Isa isa, int threads, DecoderSpec spec, ModelPackage model) {
    var options = new CompileOptions(Quantization.NONE, 96, BLOCKS, 64, 4);
    try (CpuBackend backend = CpuDevices.backend(isa, threads);
        var decoder = backend.compile(spec, model.weights(), options)) {
      int handle = decoder.addAdapter(RandomAdapters.all(spec, 7, DType.BF16, 5));
      int[] tokens = new SplittableRandom(2).ints(40, 3, 250).toArray();
      return new DecoderDriver(decoder, BLOCKS).logits(handle, tokens, new int[] {33, 1, 1});
    }
  }

  @Test
  void anAdapterTakesWhatItsFilesDo(@TempDir Path directory) {
    try (ModelPackage model =
            ModelFiles.open(TinyModels.llama(directory, 3).hidden(128).writeGguf());
        CpuBackend backend = CpuDevices.backend()) {
      var spec = (DecoderSpec) model.spec();
      int rows = 16;
      var options = new CompileOptions(Quantization.NONE, 96, BLOCKS, rows, 4);
      try (var decoder = backend.compile(spec, model.weights(), options)) {
        AdapterWeights wide = RandomAdapters.all(spec, 8, DType.F32, 1);
        AdapterWeights narrow = RandomAdapters.all(spec, 8, DType.BF16, 1);
        long products = 4L * rows * 3 * 8;

        assertThat(decoder.adapterBytes(wide)).isEqualTo(wide.byteSize() + products);
        assertThat(decoder.adapterBytes(narrow)).isEqualTo(narrow.byteSize() + products);
      }
    }
  }
}
