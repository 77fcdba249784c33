package dev.weft.runtime.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.model.EncoderSpec;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class TextBatchTest {
  private static final EncoderSpec SPEC =
      new EncoderSpec("bert", 50, 10, 1, 8, 8, 1, 10, 1e-12, EncoderSpec.Pooling.MEAN, true);

  private static CompileOptions options(int maxBatchTokens, int maxSequences) {
    return new CompileOptions(Quantization.NONE, 10, 0, maxBatchTokens, maxSequences);
  }

  private static List<List<Integer>> offsets(CompileOptions options, int... lengths) {
    List<int[]> texts = Arrays.stream(lengths).mapToObj(int[]::new).toList();
    return TextBatch.split(texts, SPEC, options).stream()
        .map(batch -> Arrays.stream(batch.offsets()).boxed().toList())
        .toList();
  }

  @Test
  void textsFillAPassUpToItsRowsAndItsTexts() {
    assertThat(offsets(options(12, 8), 5, 7, 1, 10, 2))
        .containsExactly(List.of(0, 5, 12), List.of(0, 1, 11), List.of(0, 2));
    assertThat(offsets(options(12, 2), 1, 1, 1)).containsExactly(List.of(0, 1, 2), List.of(0, 1));
    assertThat(offsets(options(12, 2))).isEmpty();
  }

  @Test
  void theLongestTextFitsWhateverTheRowsOfAStep() {
    assertThat(TextBatch.mostRows(SPEC, options(4, 2))).isEqualTo(10);
    assertThat(offsets(options(4, 2), 10, 1)).containsExactly(List.of(0, 10), List.of(0, 1));
  }

  @Test
  void tokensLieOneTextAfterTheOther() {
    var batch =
        TextBatch.split(List.of(new int[] {3, 4}, new int[] {5}), SPEC, options(12, 8)).getFirst();
    assertThat(batch.tokens()).containsExactly(3, 4, 5);
    assertThat(batch.rowCount()).isEqualTo(3);
    assertThat(batch.textCount()).isEqualTo(2);
    assertThat(batch.length(0)).isEqualTo(2);
  }

  @Test
  void aTextThatCannotBeHeldIsRefusedBeforeAnyIsComputed() {
    for (int[] text : List.of(new int[0], new int[11], new int[] {50}, new int[] {-1})) {
      assertThatThrownBy(() -> TextBatch.split(List.of(new int[1], text), SPEC, options(12, 8)))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
