package dev.weft.runtime.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.backend.KvElement;
import dev.weft.runtime.backend.KvFormat;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.model.DecoderSpec;
import java.util.BitSet;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GpuKvLayoutTest {
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
  @CsvSource({"30,3,64", "24,2,64", "16,8,64", "32,8,128", "32,32,128", "2,2,24"})
  void blocksTileChunksWithLittleWaste(int layers, int kvHeads, int headSize) {
    DecoderSpec spec = spec(layers, kvHeads, headSize);
    for (KvType type : KvType.values()) {
      GpuKvLayout kv = GpuKvLayout.of(spec, type);
      long blockBytes = kv.layout().blockBytes();
      long used = layers * kv.layerBytes();
      assertThat(used).as("%s", type).isLessThanOrEqualTo(blockBytes);
      assertThat(1 - (double) used / blockBytes).as("%s", type).isLessThan(0.03);
    }
  }

  /// Two scales of float16 beside K and V.
  @Test
  void int8TakesHalfTheMemoryAndItsScales() {
    DecoderSpec spec = spec(32, 8, 128);
    GpuKvLayout half = GpuKvLayout.of(spec, KvType.F16);
    GpuKvLayout bytes = GpuKvLayout.of(spec, KvType.INT8);
    assertThat(half.layerBytes()).isEqualTo(half.layout().blockTokens() * 8L * 512);
    assertThat(bytes.layerBytes()).isEqualTo(bytes.layout().blockTokens() * 8L * (256 + 4));
  }

  /// Elements and scales of all tokens lie beside each other; scales of two tokens, in one word.
  @Test
  void nothingOfABlockLiesOnAnything() {
    DecoderSpec spec = spec(3, 2, 24);
    GpuKvLayout kv = GpuKvLayout.of(spec, KvType.INT8);
    KvFormat format = kv.format(spec);
    assertThat(format.element()).isEqualTo(KvElement.INT8);
    assertThat(kv.layout().blockTokens()).isEven();
    assertThat(format.keys().scales().first() % 4).isZero();
    assertThat(format.values().scales().first() % 4).isZero();
    var taken = new BitSet();
    for (KvFormat.Half half : List.of(format.keys(), format.values())) {
      for (int layer = 0; layer < 3; layer++) {
        for (int head = 0; head < 2; head++) {
          for (int token = 0; token < kv.layout().blockTokens(); token++) {
            take(taken, half.elements(), layer, head, token, 24);
            take(taken, half.scales(), layer, head, token, 2);
          }
        }
      }
    }
    assertThat(taken.length()).isLessThanOrEqualTo((int) kv.layout().blockBytes());
  }

  private static void take(
      BitSet taken, KvFormat.Place place, int layer, int head, int token, int bytes) {
    int first =
        (int) (place.first() + layer * place.layer() + head * place.head() + token * place.token());
    assertThat(taken.nextSetBit(first))
        .as("layer %d, head %d, token %d", layer, head, token)
        .satisfiesAnyOf(
            next -> assertThat(next).isEqualTo(-1),
            next -> assertThat(next).isGreaterThanOrEqualTo(first + bytes));
    taken.set(first, first + bytes);
  }
}
