package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.model.DecoderSpec;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class KvLayoutsTest {
  private static DecoderSpec spec(int layers, int kvHeads, int headSize) {
    return new DecoderSpec(
        "llama",
        1000,
        4096,
        layers,
        kvHeads * headSize,
        64,
        kvHeads,
        kvHeads,
        headSize,
        1e-5,
        new DecoderSpec.Rope(10_000, headSize, true, List.of()),
        DecoderSpec.Activation.SILU,
        false,
        true,
        0);
  }

  /// SmolLM2-135M, Qwen2.5-0.5B, Llama-3.2-1B, Llama-3-8B, Llama-2-7B, and a tiny model.
  @ParameterizedTest
  @CsvSource({"30,3,64", "24,2,64", "16,8,64", "32,8,128", "32,32,128", "2,2,16"})
  void blocksTileChunksWithLittleWaste(int layers, int kvHeads, int headSize) {
    DecoderSpec spec = spec(layers, kvHeads, headSize);
    for (KvType type : KvType.values()) {
      KvLayout layout = KvLayouts.of(spec, type);
      long bytes = KvLayouts.tokenBytes(spec, type) * layout.blockTokens();
      assertThat(layout.blockTokens()).isBetween(4, 64);
      assertThat(KvLayouts.waste(bytes)).isLessThan(0.02);
      assertThat(layout.blockBytes()).isGreaterThanOrEqualTo(bytes);
    }
  }

  /// Two scales of float16 beside K and V.
  @Test
  void int8TakesHalfTheMemoryAndItsScales() {
    DecoderSpec spec = spec(30, 3, 64);
    assertThat(KvLayouts.tokenBytes(spec, KvType.F16)).isEqualTo(30 * 3 * 256);
    assertThat(KvLayouts.tokenBytes(spec, KvType.INT8)).isEqualTo(30 * 3 * (128 + 4));
  }

  @Test
  void fillsVectorsOfSixteenKeys() {
    assertThat(KvLayouts.of(spec(30, 3, 64), KvType.F16).blockTokens()).isEqualTo(15);
    assertThat(KvLayouts.of(spec(16, 8, 64), KvType.F16).blockTokens()).isEqualTo(16);
  }
}
