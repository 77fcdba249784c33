package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.DecoderMemory;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.memory.ChunkMemory;
import dev.weft.runtime.memory.ChunkPool;
import dev.weft.runtime.memory.Scratch;
import dev.weft.runtime.memory.VirtualTensor.Kind;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Steps of all models compute in the same memory: what one leaves there is in no other's way.
class ScratchTest {
  private static final CompileOptions OPTIONS =
      new CompileOptions(Quantization.NONE, 128, 32, 64, 4);

  @TempDir private Path directory;

  /// Memory that holds, before each step, what is no number in any type, and that ends where the
  /// step said that it does.
  private static final class Dirty implements Scratch {
    private final Scratch memory;
    private final long mostBytes;

    Dirty(CpuBackend backend, long mostBytes) {
      this.mostBytes = mostBytes;
      long chunks = Math.ceilDiv(mostBytes, ChunkMemory.CHUNK_BYTES);
      memory =
          Scratch.of(
              ChunkPool.whole(
                  "test", Kind.ACTIVATION, backend.openMemory(chunks * ChunkMemory.CHUNK_BYTES)));
    }

    @Override
    public long acquire(long bytes) {
      assertThat(bytes).isLessThanOrEqualTo(mostBytes);
      long address = memory.acquire(mostBytes);
      Natives.memory(address, mostBytes).fill((byte) 0xff);
      return address;
    }

    @Override
    public void close() {
      memory.close();
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"F32", "BF16", "Q8_0", "Q4_0", "Q6_K"})
  void whatIsInTheMemoryOfADecoderDoesNotMatter(DType type) {
    Path file =
        TinyModels.llama(directory, 3).hidden(256).intermediate(512).dtype(type).writeGguf();
    try (CpuBackend backend = CpuDevices.backend();
        ModelPackage model = ModelFiles.open(file)) {
      var spec = (DecoderSpec) model.spec();
      long most = backend.footprint(spec, model.weights(), OPTIONS).activationBytes();
      long kvBytes = 4 * ChunkMemory.CHUNK_BYTES;
      var kv = ChunkPool.whole("test", Kind.KV, backend.openMemory(kvBytes));
      try (DecoderExecutable clean = backend.compile(spec, model.weights(), OPTIONS);
          DecoderExecutable dirty =
              backend.compile(
                  spec,
                  model.weights(),
                  OPTIONS,
                  new DecoderMemory(kv, new Dirty(backend, most)))) {
        for (List<Integer> chunks :
            List.of(List.of(1, 1, 1), List.of(37, 1, 1), List.of(64, 3, 16))) {
          int count = chunks.stream().mapToInt(Integer::intValue).sum();
          int[] tokens = new int[count];
          for (int i = 0; i < count; i++) {
            tokens[i] = 3 + i * 7 % 200;
          }
          assertThat(logits(dirty, tokens, chunks)).isDeepEqualTo(logits(clean, tokens, chunks));
        }
      }
    }
  }

  @Test
  void whatIsInTheMemoryOfAnEncoderDoesNotMatter() {
    Path file = TinyModels.bert(directory, 2).writeSafetensors();
    try (CpuBackend backend = CpuDevices.backend();
        ModelPackage model = ModelFiles.open(file)) {
      var spec = (EncoderSpec) model.spec();
      long most = backend.footprint(spec, model.weights(), OPTIONS).activationBytes();
      try (EncoderExecutable clean = backend.compile(spec, model.weights(), OPTIONS);
          EncoderExecutable dirty =
              backend.compile(spec, model.weights(), OPTIONS, new Dirty(backend, most))) {
        var texts = List.of(new int[] {1}, new int[] {4, 5, 6, 7, 8}, new int[] {9, 10});
        assertThat(dirty.forward(texts).toArray(float[][]::new))
            .isDeepEqualTo(clean.forward(texts).toArray(float[][]::new));
      }
    }
  }

  private static float[][] logits(DecoderExecutable decoder, int[] tokens, List<Integer> chunks) {
    int[] blocks = Steps.blocks(decoder, 0, 1, tokens.length);
    return Steps.logits(decoder, tokens, blocks, chunks).toArray(float[][]::new);
  }

  @Test
  void fewRowsNeedLess() {
    var sizes = new ScratchSizes(100, rows -> 10L * rows);

    assertThat(List.of(sizes.of(1), sizes.of(2), sizes.of(3), sizes.of(5), sizes.of(64)))
        .containsExactly(10L, 20L, 40L, 80L, 640L);
    assertThat(sizes.of(65)).isEqualTo(1_000);
    assertThat(sizes.of(100)).isEqualTo(1_000);
  }
}
