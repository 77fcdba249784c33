package dev.weft.runtime.gpu;

import static dev.weft.runtime.sampling.SamplingCases.history;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.StepBatch;
import dev.weft.runtime.gpu.AttentionWork.Singles;
import dev.weft.runtime.gpu.cuda.CudaDriver;
import dev.weft.runtime.gpu.cuda.DeviceBuffer;
import dev.weft.runtime.gpu.cuda.LaunchGrid;
import dev.weft.runtime.gpu.kernels.KernelUnit;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.sampling.HostSampler;
import dev.weft.runtime.sampling.SampleRequest;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.sampling.SampledToken.Alternative;
import dev.weft.runtime.sampling.SamplingException;
import dev.weft.runtime.sampling.SamplingParameters;
import dev.weft.runtime.sampling.TokenRandom;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Tokens and log-probabilities are those that the host's sampler gives for the same logits, over
/// all parameters, odd sizes, ties and extreme values; a row's depend on nothing beside it, and
/// leave the logits as they were.
class StepSamplingTest {
  /// A step's requests in a test: more than there is room for at first.
  private static final int ROWS = 24;

  private static final int ROOM = 5;

  /// Of a step's rows, so many are sampled by several blocks each as well.
  private static final int TOGETHER_ROWS = 2;

  @Nested
  class Emulated extends Cases {
    @Override
    GpuDevice open() {
      return new GpuDevice(EmulatedGpu.driver(), 0, (_, _) -> new byte[] {0}, _ -> {});
    }
  }

  @Nested
  @EnabledIf(
      value = "dev.weft.runtime.gpu.RealGpu#isThere",
      disabledReason = "no usable NVIDIA driver, or no NVRTC")
  class OnTheDevice extends Cases {
    @Override
    GpuDevice open() {
      return new GpuDevice(CudaDriver.open(), 0, RealGpu.kernels(), _ -> {});
    }
  }

  /// What logits are like.
  enum Logits {
    /// As a model's: few are likely.
    NORMAL {
      @Override
      float next(SplittableRandom random) {
        return (float) random.nextGaussian(-1, 3);
      }
    },
    /// Of a model that knows nothing.
    FLAT {
      @Override
      float next(SplittableRandom random) {
        return (float) random.nextGaussian(0, 0.01);
      }
    },
    TIES {
      @Override
      float next(SplittableRandom random) {
        return random.nextInt(-20, 20) / 4f;
      }
    },
    EQUAL {
      @Override
      float next(SplittableRandom random) {
        return 1.5f;
      }
    },
    /// Zeros of both signs, what is ruled out, and what is far from everything.
    EXTREME {
      @Override
      float next(SplittableRandom random) {
        return switch (random.nextInt(8)) {
          case 0 -> 0f;
          case 1 -> -0f;
          case 2 -> Float.NEGATIVE_INFINITY;
          case 3 -> -Float.MAX_VALUE;
          case 4 -> random.nextInt(4) == 0 ? 1e30f : -1e30f;
          case 5 -> Float.MIN_VALUE * random.nextInt(-3, 3);
          default -> (float) random.nextGaussian(0, 40);
        };
      }
    },
    /// Some rows have what is not a number, or is infinite.
    WRONG {
      @Override
      float next(SplittableRandom random) {
        return switch (random.nextInt(600)) {
          case 0 -> Float.NaN;
          case 1 -> Float.POSITIVE_INFINITY;
          default -> (float) random.nextGaussian(0, 3);
        };
      }
    };

    abstract float next(SplittableRandom random);

    float[] row(SplittableRandom random, int width) {
      float[] row = new float[width];
      for (int i = 0; i < width; i++) {
        row[i] = next(random);
      }
      return row;
    }
  }

  abstract static class Cases {
    private final Arena arena = Arena.ofShared();
    private GpuDevice device = open();

    @TempDir private Path directory;

    abstract GpuDevice open();

    @BeforeEach
    void bind() {
      device.context().bind();
    }

    @AfterEach
    void close() {
      device.close();
      arena.close();
    }

    @ParameterizedTest
    @EnumSource(Logits.class)
    void choosesWhatTheHostChooses(Logits kind) {
      int[] widths = {1, 2, 3, 31, 32, 33, 255, 300, 1023, 1025, 4099, 32_003};
      for (int width : widths) {
        var random = new SplittableRandom(width);
        float[][] rows = new float[ROWS][];
        var requests = new ArrayList<SampleRequest>();
        for (int row = 0; row < ROWS; row++) {
          rows[row] = kind.row(random, width);
          requests.add(request(random, width));
        }
        assertAsOnTheHost(rows, requests);
      }
    }

    @ParameterizedTest
    @EnumSource(
        value = Logits.class,
        names = {"NORMAL", "FLAT", "EQUAL"})
    void choosesFromALargeVocabulary(Logits kind) {
      int width = 128_256;
      var random = new SplittableRandom(1);
      var requests =
          List.of(
              plain(random, 1, 0, 1, 0),
              plain(random, 0.8, 0, 0.95, 0),
              plain(random, 0.7, 50, 0.9, 0),
              plain(random, 1.3, 0, 1, 0.05),
              plain(random, 2, 100_000, 1, 0));
      float[][] rows = requests.stream().map(_ -> kind.row(random, width)).toArray(float[][]::new);

      assertAsOnTheHost(rows, requests);
    }

    /// Two tokens, and draws about as close to their bound as is promised; what is promised leaves
    /// no room for logits in float32.
    @ParameterizedTest
    @ValueSource(doubles = {-1, 1})
    void isTheHostsUpToTheMargin(double side) {
      float[][] rows = new float[ROWS][];
      var requests = new ArrayList<SampleRequest>();
      for (int row = 0; row < ROWS; row++) {
        // The first token's share ends beside the draw.
        double share = TokenRandom.uniform(row, 9) + 1.2 * side * StepSampling.MARGIN;
        rows[row] = new float[] {0, (float) Math.log((1 - share) / share)};
        requests.add(
            new SampleRequest(
                new SamplingParameters(1, 0, 1, 0, 0, 0, 1, Map.of(), row, -1),
                9,
                history(0),
                Set.of()));
      }

      List<Optional<SampledToken>> chosen = sample(rows, requests);

      assertThat(chosen)
          .allSatisfy(token -> assertThat(token.orElseThrow().token()).isEqualTo(side < 0 ? 1 : 0));
      assertAsOnTheHost(rows, requests);
    }

    /// Each parameter by itself, for one row in many draws.
    @Test
    void everyParameterCounts() {
      var random = new SplittableRandom(5);
      float[] row = Logits.TIES.row(random, 200);
      for (SamplingParameters each :
          List.of(
              new SamplingParameters(0, 0, 1, 0, 0, 0, 1, Map.of(7, 90f), 1, -1),
              new SamplingParameters(0, 0, 1, 0, 0, 0, 1.5, Map.of(), 1, -1),
              new SamplingParameters(0, 0, 1, 0, 1, 0, 1, Map.of(), 1, -1),
              new SamplingParameters(0, 0, 1, 0, 0, 1.25, 1, Map.of(), 1, -1),
              new SamplingParameters(0, 0, 1, 0, 0, 0, 1, Map.of(), 1, 5),
              new SamplingParameters(1, 0, 1, 0, 0, 0, 1, Map.of(), 2, -1),
              new SamplingParameters(1, 7, 1, 0, 0, 0, 1, Map.of(), 3, -1),
              new SamplingParameters(1, 199, 1, 0, 0, 0, 1, Map.of(), 3, -1),
              new SamplingParameters(1, 0, 0.6, 0, 0, 0, 1, Map.of(), 4, -1),
              new SamplingParameters(1, 0, 1e-300, 0, 0, 0, 1, Map.of(), 4, -1),
              new SamplingParameters(1, 0, 1, 0.3, 0, 0, 1, Map.of(), 5, -1),
              new SamplingParameters(1, 0, 1, 1, 0, 0, 1, Map.of(), 5, -1),
              new SamplingParameters(1e-300, 0, 1, 0, 0, 0, 1, Map.of(), 6, -1),
              new SamplingParameters(1e300, 0, 1, 0, 0, 0, 1, Map.of(), 6, -1),
              new SamplingParameters(0.9, 30, 0.8, 0.02, 0.5, 0.5, 1.1, Map.of(3, -2f), 7, 3))) {
        float[][] rows = new float[ROWS][];
        Arrays.setAll(rows, _ -> row);
        var requests = new ArrayList<SampleRequest>();
        for (int i = 0; i < ROWS; i++) {
          int[] tokens = random.ints(60, 0, 200).toArray();
          requests.add(new SampleRequest(each, i, history(20, tokens), Set.of(i, 700)));
        }
        assertAsOnTheHost(rows, requests);
      }
    }

    @Test
    void aRowDoesNotDependOnItsNeighbours() {
      int width = 1000;
      var random = new SplittableRandom(3);
      float[][] rows = new float[ROWS][];
      Arrays.setAll(rows, _ -> Logits.NORMAL.row(random, width));
      List<SampleRequest> requests =
          IntStream.range(0, ROWS).mapToObj(_ -> request(random, width)).toList();
      List<Optional<SampledToken>> together = sample(rows, requests);

      for (int i = 0; i < ROWS; i += 5) {
        assertThat(sample(new float[][] {rows[i]}, List.of(requests.get(i))))
            .containsExactly(together.get(i));
      }
    }

    @Test
    void longHistoriesAndManyAlternativesFindRoom() {
      int width = 3000;
      var random = new SplittableRandom(4);
      float[][] rows = new float[2 * ROOM][];
      Arrays.setAll(rows, _ -> Logits.TIES.row(random, width));
      var parameters =
          new SamplingParameters(1, 0, 0.9, 0, 0.1, 0.01, 1.02, Map.of(5, 1f), 8, 2 * width);
      List<SampleRequest> requests =
          IntStream.range(0, rows.length)
              .mapToObj(i ->
                  new SampleRequest(
                      parameters, i, history(100, random.ints(5000, 0, width).toArray()), Set.of()))
              .toList();

      assertAsOnTheHost(rows, requests);
    }

    /// The host's words for what no token can be chosen from, whatever is asked for.
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void saysWhatIsWrongWithLogits(boolean drawn) {
      DecoderSpec spec;
      try (var model = ModelFiles.open(TinyModels.llama(directory, 1).writeGguf())) {
        spec = (DecoderSpec) model.spec();
      }
      var options = new CompileOptions(Quantization.NONE, 64, 4, 8, 2);
      var scratch = new ScratchLayout(spec, 1, 1, Singles.NONE);
      float[] row = new float[spec.vocabularySize()];
      row[17] = Float.NaN;
      var parameters = new SamplingParameters(drawn ? 1 : 0, 0, 1, 0, 0, 0, 1, Map.of(), 1, -1);
      var request = new SampleRequest(parameters, 1, history(0), Set.of());
      var batch =
          new StepBatch(
              List.of(
                  new StepBatch.Entry(
                      new int[] {1},
                      0,
                      new int[] {0},
                      List.of(request),
                      false,
                      StepBatch.Entry.NO_ADAPTER)));
      try (var memory = new DeviceBuffer(device.context(), scratch.byteSize());
          var outputs = new StepOutputs(device, spec, options, arena)) {
        long logits = outputs.place(scratch, memory.address());
        device.stream().copyToDevice(arena.allocateFrom(JAVA_FLOAT, row), logits);
        findLargest(logits, 1, row.length, outputs.chosen());
        var answers = outputs.begin();
        outputs.copy(batch, 1, logits);
        device.stream().synchronize();

        assertThatThrownBy(() -> outputs.result(batch, answers))
            .isInstanceOf(SamplingException.class)
            .hasMessage("the logit of token 17 is not a number");
      }
    }

    private void assertAsOnTheHost(float[][] rows, List<SampleRequest> requests) {
      List<Optional<SampledToken>> all = sample(rows, requests);
      if (device.runsTogether()) {
        int few = Math.min(rows.length, TOGETHER_ROWS);
        assertThat(sample(Arrays.copyOf(rows, few), requests.subList(0, few), few))
            .as("by several blocks a row, of %d logits", rows[0].length)
            .isEqualTo(all.subList(0, few));
      }
      for (int i = 0; i < rows.length; i++) {
        SampleRequest request = requests.get(i);
        String what = "%d logits, row %d: %s".formatted(rows[i].length, i, request.parameters());
        SampledToken expected;
        try {
          expected = new HostSampler().sample(rows[i].clone(), request);
        } catch (SamplingException e) {
          assertThat(all.get(i)).as("%s, of which the host says: %s", what, e).isEmpty();
          continue;
        }
        SampledToken actual = all.get(i).orElseThrow(() -> new AssertionError(what));
        assertThat(actual.token()).as(what).isEqualTo(expected.token());
        assertClose(what, actual.logprob(), expected.logprob());
        assertThat(actual.alternatives())
            .as(what)
            .extracting(Alternative::token)
            .isEqualTo(expected.alternatives().stream().map(Alternative::token).toList());
        for (int j = 0; j < expected.alternatives().size(); j++) {
          assertClose(
              what,
              actual.alternatives().get(j).logprob(),
              expected.alternatives().get(j).logprob());
        }
      }
    }

    private static void assertClose(String what, float actual, float expected) {
      if (Float.isFinite(expected)) {
        double most = StepSampling.MARGIN + Math.ulp(expected);
        assertThat((double) actual).as(what).isCloseTo(expected, within(most));
      } else {
        assertThat(Float.valueOf(actual)).as(what).isEqualTo(Float.valueOf(expected));
      }
    }

    /// Samples rows in one step, a block each.
    private List<Optional<SampledToken>> sample(float[][] rows, List<SampleRequest> requests) {
      return sample(rows, requests, 0);
    }

    /// Samples rows in one step, and sees to it that their logits are left as they were.
    ///
    /// @param mostTogether rows up to which several blocks share one
    private List<Optional<SampledToken>> sample(
        float[][] rows, List<SampleRequest> requests, int mostTogether) {
      int width = rows[0].length;
      long rowBytes = (long) width * Float.BYTES;
      try (var logits = new DeviceBuffer(device.context(), rows.length * rowBytes);
          var chosen = new DeviceBuffer(device.context(), rows.length * (long) Integer.BYTES);
          var sampling = new StepSampling(device, width, ROOM, arena, mostTogether);
          Arena copies = Arena.ofConfined()) {
        MemorySegment before = copies.allocate(rows.length * rowBytes, Float.BYTES);
        for (int i = 0; i < rows.length; i++) {
          MemorySegment.copy(rows[i], 0, before, JAVA_FLOAT, i * rowBytes, width);
        }
        device.stream().copyToDevice(before, logits.address());
        // Twice, so that nothing of one step is left in the next.
        for (int step = 0; step < 2; step++) {
          findLargest(logits.address(), rows.length, width, chosen.address());
          sampling.begin();
          for (int i = 0; i < rows.length; i++) {
            assertThat(sampling.add(requests.get(i), i)).isEqualTo(i);
          }
          sampling.submit(logits.address(), chosen.address());
          device.stream().synchronize();
        }
        MemorySegment after = copies.allocate(rows.length * rowBytes, Float.BYTES);
        device.stream().copyToHost(logits.address(), after);
        device.stream().synchronize();
        assertThat(after.mismatch(before)).as("what is left of the logits").isEqualTo(-1);
        return IntStream.range(0, rows.length)
            .mapToObj(i -> sampling.take(i, requests.get(i)))
            .toList();
      }
    }

    private void findLargest(long logits, int rows, int width, long to) {
      var launcher = new StepLauncher(device, arena);
      launcher.parameters().start().address(logits).integer(width).address(to);
      launcher.launch(
          KernelUnit.STEP, "largest", LaunchGrid.of(rows, DecoderKernels.LARGEST_THREADS));
    }
  }

  private static SampleRequest plain(
      SplittableRandom random, double temperature, int topK, double topP, double minP) {
    return new SampleRequest(
        new SamplingParameters(
            temperature, topK, topP, minP, 0, 0, 1, Map.of(), random.nextLong(), 5),
        1,
        history(0),
        Set.of());
  }

  /// Any parameters, each switched off in half of all requests.
  private static SampleRequest request(SplittableRandom random, int width) {
    Map<Integer, Float> bias = new HashMap<>();
    Set<Integer> blocked = new HashSet<>();
    if (random.nextBoolean()) {
      for (int i = random.nextInt(6); i > 0; i--) {
        // Some are outside of the vocabulary.
        bias.put(random.nextInt(-1, width + 1), random.nextInt(-12, 12) / 4f);
        blocked.add(random.nextInt(-1, width + 1));
      }
    }
    var parameters =
        new SamplingParameters(
            random.nextInt(4) == 0 ? 0 : random.nextDouble(0.05, 3),
            random.nextBoolean() ? random.nextInt(2 * Math.min(width, 60)) : 0,
            random.nextBoolean() ? random.nextDouble(0.01, 1) : 1,
            random.nextInt(3) == 0 ? random.nextDouble(0.5) : 0,
            random.nextBoolean() ? random.nextInt(-8, 8) / 4.0 : 0,
            random.nextBoolean() ? random.nextDouble(-2, 2) : 0,
            random.nextBoolean() ? random.nextDouble(0.5, 2) : 1,
            bias,
            random.nextLong(),
            random.nextInt(-1, 8));
    int[] tokens = random.ints(random.nextInt(40), 0, width).toArray();
    return new SampleRequest(
        parameters, tokens.length, history(random.nextInt(tokens.length + 1), tokens), blocked);
  }
}
