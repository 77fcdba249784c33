package dev.weft.runtime.gpu;

import static dev.weft.runtime.sampling.SamplingCases.history;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.DecoderExecutable;
import dev.weft.runtime.backend.PendingStep;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.backend.StepResult;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.sampling.SampleRequest;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.sampling.SamplingException;
import dev.weft.runtime.sampling.SamplingParameters;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;

/// Steps that are submitted before the one in front has been awaited, with tokens that only the
/// device knows, give what steps give that are run one after the other.
class GpuStepsAheadTest {
  private static final int CONTEXT = 64;
  private static final int STEPS = 20;

  /// How tokens are chosen, of a sequence each.
  private static final List<SamplingParameters> SAMPLING =
      List.of(
          SamplingParameters.GREEDY,
          new SamplingParameters(0, 0, 1, 0, 0, 0, 1, Map.of(), 0, 3),
          new SamplingParameters(1, 0, 1, 0, 0, 0, 1, Map.of(), 5, -1),
          new SamplingParameters(0.8, 40, 0.9, 0.01, 0, 0, 1, Map.of(7, 3f), 6, 2),
          SamplingParameters.GREEDY,
          new SamplingParameters(1.5, 0, 0.95, 0, 0, 0, 1, Map.of(), 7, -1));

  @Nested
  class Emulated extends Cases {
    @Override
    Backend open() {
      return EmulatedGpu.backend();
    }
  }

  /// Nothing is done before somebody waits for it.
  @Nested
  class EmulatedLate extends Cases {
    @Override
    Backend open() {
      return EmulatedGpu.backend();
    }

    @BeforeEach
    void late() {
      EmulatedGpu.late(true);
    }

    @AfterEach
    void atOnce() {
      EmulatedGpu.late(false);
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
    @TempDir private Path directory;

    abstract Backend open();

    private interface Use {
      void of(DecoderExecutable decoder);
    }

    private void withDecoder(Use use) {
      try (var model = ModelFiles.open(TinyModels.llama(directory, 11).writeGguf());
          Backend backend = open();
          var decoder =
              backend.compile(
                  (DecoderSpec) model.spec(),
                  model.weights(),
                  new CompileOptions(Quantization.NONE, CONTEXT, 64, 128, 8))) {
        use.of(decoder);
      }
    }

    @Test
    void tokensAreThoseOfStepsOneAfterTheOther() {
      withDecoder(decoder -> {
        List<List<SampledToken>> expected = run(decoder, false);
        for (int round = 0; round < 2; round++) {
          assertThat(run(decoder, true)).isEqualTo(expected);
        }
        assertThat(new HashSet<>(expected.get(2)))
            .as("no token again and again")
            .hasSizeGreaterThan(5);
      });
    }

    /// What is asked for behind two steps happens behind both.
    @Test
    void blocksMoveBehindStepsUnderWay() {
      withDecoder(decoder -> {
        List<List<SampledToken>> expected = run(decoder, false);
        var texts = begin(decoder);
        int blocks = texts.size() * texts.getFirst().blocks.length;
        PendingStep first = decoder.forward(batch(texts, decode()));
        texts.forEach(text -> text.length++);
        PendingStep second = decoder.forward(batch(texts, ahead(texts, texts)));
        texts.forEach(text -> {
          int[] to = IntStream.of(text.blocks).map(block -> blocks + block).toArray();
          decoder.moveBlocks(text.blocks, to);
          text.blocks = to;
        });
        take(texts, first);
        take(texts, second);
        texts.forEach(text -> text.length++);
        take(texts, decoder.forward(batch(texts, decode())));

        for (int i = 0; i < texts.size(); i++) {
          assertThat(texts.get(i).tokens).isEqualTo(expected.get(i).subList(0, 4));
        }
      });
    }

    /// The step behind one that chose no token runs with any, and says so of its own.
    @Test
    void theOthersGoOnWhereNoTokenCanBeChosen() {
      withDecoder(decoder -> {
        List<List<SampledToken>> expected = run(decoder, false);
        var texts = begin(decoder);
        spoil(decoder, texts.getFirst());
        PendingStep first = decoder.forward(batch(texts, decode()));
        texts.forEach(text -> text.length++);
        PendingStep second = decoder.forward(batch(texts, ahead(texts, texts)));

        assertThatThrownBy(first::await).isInstanceOf(SamplingException.class);
        assertThatThrownBy(second::await).isInstanceOf(SamplingException.class);

        var others = texts.subList(1, texts.size());
        others.forEach(text -> text.length--);
        take(others, decoder.forward(batch(others, decode())));
        for (int i = 0; i < others.size(); i++) {
          assertThat(others.get(i).tokens).isEqualTo(expected.get(i + 1).subList(0, 2));
        }
      });
    }

    @Test
    void onlyTokensOfTheStepBeforeCanBeNamed() {
      withDecoder(decoder -> {
        var texts = begin(decoder);
        var one = texts.subList(0, 1);
        take(one, decoder.forward(batch(one, decode())));
        texts.get(1).length++;

        assertThatThrownBy(() -> decoder.forward(batch(texts.subList(1, 2), ahead(texts, texts))))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("outside the vocabulary");
        assertThatThrownBy(() ->
                decoder.forward(
                    new StepBatch(
                        List.of(
                            new StepBatch.Entry(
                                new int[] {5, StepBatch.Entry.chosenBy(0)},
                                0,
                                texts.getFirst().blocks,
                                List.of(),
                                false,
                                StepBatch.Entry.NO_ADAPTER)))))
            .as("beside other rows")
            .isInstanceOf(IllegalArgumentException.class);
      });
    }

    /// Keys and values that are not numbers.
    private static void spoil(DecoderExecutable decoder, Text text) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment values = arena.allocate(decoder.kvLayout().blockBytes(), Long.BYTES);
        for (long i = 0; i < values.byteSize() / Short.BYTES; i++) {
          values.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) 0x7e00);
        }
        decoder.loadBlocks(new int[] {text.blocks[0]}, values);
      }
    }
  }

  /// A sequence. Each has one token less than the one before it.
  private static final class Text {
    private final int number;
    private final int[] prompt;
    private final List<SampledToken> tokens = new ArrayList<>();
    private int[] blocks;

    /// With tokens that are not known yet.
    private int length;

    private Text(int number, int blocks) {
      this.number = number;
      this.blocks = IntStream.range(number * blocks, (number + 1) * blocks).toArray();
      prompt = new SplittableRandom(number).ints(3 + 5 * number, 3, 250).toArray();
      length = prompt.length;
    }

    private int most() {
      return prompt.length + STEPS - number;
    }

    private SampleRequest request() {
      // Some tokens are ruled out at first.
      Set<Integer> blocked = length - prompt.length < 5 ? Set.of(3, 40) : Set.of();
      return new SampleRequest(SAMPLING.get(number), length, history(0), blocked);
    }

    private StepBatch.Entry entry(int... rows) {
      return new StepBatch.Entry(
          rows,
          length - rows.length,
          blocks,
          List.of(request()),
          false,
          StepBatch.Entry.NO_ADAPTER);
    }
  }

  private interface Rows {
    int[] of(Text text);
  }

  private static StepBatch batch(List<Text> texts, Rows rows) {
    return new StepBatch(texts.stream().map(text -> text.entry(rows.of(text))).toList());
  }

  /// The last token, which is known.
  private static Rows decode() {
    return text -> {
      assertThat(text.length).isEqualTo(text.prompt.length + text.tokens.size());
      return new int[] {text.tokens.getLast().token()};
    };
  }

  /// The token that the step before chooses.
  private static Rows ahead(List<Text> before, List<Text> texts) {
    Map<Text, Integer> indexes = new HashMap<>();
    texts.forEach(text -> indexes.put(text, before.indexOf(text)));
    return text -> new int[] {StepBatch.Entry.chosenBy(indexes.getOrDefault(text, 0))};
  }

  private static void take(List<Text> texts, PendingStep step) {
    List<StepResult.Entry> results = step.await().entries();
    for (int i = 0; i < results.size(); i++) {
      texts.get(i).tokens.addAll(results.get(i).sampled());
    }
  }

  /// The sequences with their first tokens; the next step computes these.
  private static List<Text> begin(DecoderExecutable decoder) {
    int blocks = decoder.kvLayout().blocksFor(CONTEXT);
    List<Text> texts =
        IntStream.range(0, SAMPLING.size()).mapToObj(i -> new Text(i, blocks)).toList();
    take(texts, decoder.forward(batch(texts, text -> text.prompt)));
    texts.forEach(text -> text.length++);
    return texts;
  }

  /// Runs all to their ends, and returns their tokens.
  private static List<List<SampledToken>> run(DecoderExecutable decoder, boolean ahead) {
    List<Text> texts = begin(decoder);
    List<Text> going = texts;
    Deque<Runnable> left = new ArrayDeque<>();
    List<Text> before = List.of();
    while (!going.isEmpty()) {
      List<Text> these = going;
      Rows rows = left.isEmpty() ? decode() : ahead(before, these);
      PendingStep step = decoder.forward(batch(these, rows));
      left.add(() -> take(these, step));
      while (left.size() > (ahead ? 1 : 0)) {
        left.remove().run();
      }
      these.forEach(text -> text.length++);
      before = these;
      going = these.stream().filter(text -> text.length < text.most()).toList();
    }
    left.forEach(Runnable::run);
    return texts.stream().map(text -> text.tokens).toList();
  }
}
