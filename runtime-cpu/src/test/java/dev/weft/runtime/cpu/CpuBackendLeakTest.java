package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TensorNames;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.Weights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What is opened and closed gives everything back: memory, mappings and threads.
class CpuBackendLeakTest {
  private static final CompileOptions OPTIONS =
      new CompileOptions(Quantization.NONE, 256, 2000, 256, 8);

  @TempDir private Path directory;

  private static long status(String key) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith(key + ":")) {
        return Long.parseLong(line.replaceAll("[^0-9]", ""));
      }
    }
    throw new IOException("no " + key + " in /proc/self/status");
  }

  private static long nativeThreads() throws IOException {
    try (var tasks = Files.list(Path.of("/proc/self/task"))) {
      return tasks
          .filter(task -> {
            try {
              return Files.readString(task.resolve("comm")).startsWith("weft-cpu");
            } catch (IOException e) {
              return false; // it has ended
            }
          })
          .count();
    }
  }

  @Test
  void compileAndCloseCyclesGiveEverythingBack() throws IOException {
    // About 9 MB packed, and 10 MB of KV touched: a leak of either shows at once.
    Path decoderFile =
        TinyModels.llama(directory.resolve("."), 1)
            .hidden(512)
            .intermediate(1024)
            .layers(4)
            .dtype(DType.Q8_0)
            .writeGguf();
    try (ModelPackage model = ModelFiles.open(decoderFile)) {
      for (int i = 0; i < 5; i++) {
        decode(model);
      }
      long before = status("VmRSS");
      for (int i = 0; i < 40; i++) {
        decode(model);
      }
      assertThat(status("VmRSS") - before).as("kB after 40 cycles").isLessThan(40_000);
    }
    assertThat(nativeThreads()).isZero();
  }

  /// Memory that runs out at the very end of a compilation, when all weights are packed.
  @Test
  void failedCompilationsGiveEverythingBack() throws IOException {
    Path file =
        TinyModels.llama(directory, 3)
            .hidden(512)
            .intermediate(1024)
            .layers(4)
            .dtype(DType.Q8_0)
            .writeGguf();
    try (ModelPackage model = ModelFiles.open(file)) {
      for (int i = 0; i < 5; i++) {
        fail(model);
      }
      long before = status("VmRSS");
      for (int i = 0; i < 40; i++) {
        fail(model);
      }
      assertThat(status("VmRSS") - before).as("kB after 40 failures").isLessThan(40_000);
    }
  }

  private static void fail(ModelPackage model) {
    var weights = new ExhaustedWeights(model.weights(), TensorNames.OUTPUT_NORM);
    try (CpuBackend backend = CpuDevices.backend()) {
      assertThatThrownBy(
              () -> backend.compile((DecoderSpec) model.spec(), weights, OPTIONS).close())
          .isInstanceOf(OutOfMemoryError.class);
    }
  }

  /// Has no memory left when one of its tensors is read.
  private record ExhaustedWeights(Weights weights, String last) implements Weights {
    @Override
    public Optional<Tensor> find(String name) {
      if (name.equals(last)) {
        throw new OutOfMemoryError("for a test");
      }
      return weights.find(name);
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
    public void close() {}
  }

  @Test
  void encoderCyclesGiveEverythingBack() throws IOException {
    Path file = TinyModels.bert(directory, 2).hidden(256).intermediate(2048).writeSafetensors();
    try (ModelPackage model = ModelFiles.open(file)) {
      for (int i = 0; i < 5; i++) {
        encode(model);
      }
      long before = status("VmRSS");
      for (int i = 0; i < 40; i++) {
        encode(model);
      }
      assertThat(status("VmRSS") - before).as("kB after 40 cycles").isLessThan(40_000);
    }
  }

  private static void decode(ModelPackage model) {
    try (CpuBackend backend = CpuDevices.backend();
        DecoderExecutable decoder =
            backend.compile((DecoderSpec) model.spec(), model.weights(), OPTIONS)) {
      int[] tokens = new int[250];
      Steps.logits(decoder, tokens, Steps.blocks(decoder, 0, 1, 250), List.of(250));
    }
  }

  private static void encode(ModelPackage model) {
    try (CpuBackend backend = CpuDevices.backend();
        EncoderExecutable encoder =
            backend.compile((EncoderSpec) model.spec(), model.weights(), OPTIONS)) {
      encoder.forward(List.of(new int[] {1, 2, 3}));
    }
  }
}
