package dev.weft.runtime.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderDriver;
import dev.weft.runtime.backend.RandomAdapters;
import dev.weft.runtime.backend.ReferenceBackend;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.weights.Weights;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// An adapter in either format, on a base in either format, is the merged model.
class AdapterFilesTest {
  private static final int BLOCKS = 8;
  private static final int[] TOKENS = new SplittableRandom(1).ints(30, 3, 250).toArray();

  private final ReferenceBackend backend = new ReferenceBackend(1);

  @TempDir private Path directory;
  private ModelPackage safetensors;
  private ModelPackage gguf;

  @BeforeEach
  void open() throws IOException {
    Path one = Files.createDirectory(directory.resolve("safetensors"));
    Path other = Files.createDirectory(directory.resolve("gguf"));
    safetensors = ModelFiles.open(TinyModels.llama(one, 7).writeSafetensors());
    gguf = ModelFiles.open(TinyModels.llama(other, 7).writeGguf());
    assertThat(spec(safetensors).rope().interleaved()).isFalse();
    assertThat(spec(gguf).rope().interleaved()).isTrue();
  }

  @AfterEach
  void close() {
    safetensors.close();
    gguf.close();
    backend.close();
  }

  @Test
  void peftAdaptersFitBasesOfBothFormats() {
    var adapter = TinyAdapter.of(spec(safetensors), 6, DType.F32, 5);
    Path path = adapter.writePeft(directory.resolve("peft"));
    float[][] merged =
        logits(spec(safetensors), RandomAdapters.merged(safetensors.weights(), adapter.weights()));

    assertSimilar(adapted(safetensors, path), merged);
    assertSimilar(adapted(gguf, path), merged);
  }

  @Test
  void ggufAdaptersFitBasesOfBothFormats() {
    var adapter = TinyAdapter.of(spec(gguf), 6, DType.F16, 5);
    Path path = adapter.writeGguf(directory.resolve("adapter.gguf"), _ -> {});
    float[][] merged = logits(spec(gguf), RandomAdapters.merged(gguf.weights(), adapter.weights()));

    assertSimilar(adapted(gguf, path), merged);
    assertSimilar(adapted(safetensors, path), merged);
  }

  @Test
  void aDirectoryMayHoldAGgufAdapter() throws IOException {
    Path own = Files.createDirectory(directory.resolve("own"));
    TinyAdapter.of(spec(gguf), 2, DType.F16, 5).writeGguf(own.resolve("a.gguf"), _ -> {});

    try (AdapterPackage opened = AdapterFiles.open(own, spec(gguf))) {
      assertThat(opened.weights().deltas()).hasSize(14);
    }
  }

  @Test
  void scalesAsPeftDoes() {
    var adapter = TinyAdapter.of(spec(safetensors), 4, DType.BF16, 5);
    Path plain =
        adapter.writePeft(directory.resolve("plain"), c -> c.put("lora_alpha", 16), _ -> {});
    Path stabilised =
        adapter.writePeft(
            directory.resolve("rslora"),
            c -> {
              c.put("lora_alpha", 16);
              c.put("use_rslora", true);
            },
            _ -> {});

    assertThat(scale(plain)).isEqualTo(4);
    assertThat(scale(stabilised)).isEqualTo(8);
  }

  @Test
  void scalesAsLlamaCppDoes() {
    var adapter = TinyAdapter.of(spec(gguf), 4, DType.F32, 5);
    Path half =
        adapter.writeGguf(directory.resolve("a.gguf"), g -> g.put("adapter.lora.alpha", 2f));
    Path none =
        adapter.writeGguf(directory.resolve("b.gguf"), g -> g.put("adapter.lora.alpha", 0f));

    assertThat(scale(half)).isEqualTo(0.5f);
    assertThat(scale(none)).isEqualTo(1);
  }

  private float scale(Path path) {
    try (AdapterPackage opened = AdapterFiles.open(path, spec(safetensors))) {
      return opened.weights().deltas().getFirst().scale();
    }
  }

  private float[][] adapted(ModelPackage base, Path adapter) {
    try (AdapterPackage opened = AdapterFiles.open(adapter, spec(base));
        var decoder = backend.compile(spec(base), base.weights(), options())) {
      int handle = decoder.addAdapter(opened.weights());
      return new DecoderDriver(decoder, BLOCKS).logits(handle, TOKENS, new int[0]);
    }
  }

  private float[][] logits(DecoderSpec spec, Weights weights) {
    try (var decoder = backend.compile(spec, weights, options())) {
      return new DecoderDriver(decoder, BLOCKS).logits(TOKENS);
    }
  }

  private static void assertSimilar(float[][] actual, float[][] expected) {
    for (int row = 0; row < expected.length; row++) {
      for (int i = 0; i < expected[row].length; i++) {
        assertThat((double) actual[row][i]).isCloseTo(expected[row][i], within(2e-3));
      }
    }
  }

  private static CompileOptions options() {
    return new CompileOptions(Quantization.NONE, 64, BLOCKS, 64, 2);
  }

  private static DecoderSpec spec(ModelPackage model) {
    return (DecoderSpec) model.spec();
  }
}
