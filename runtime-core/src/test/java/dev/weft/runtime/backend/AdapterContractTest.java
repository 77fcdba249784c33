package dev.weft.runtime.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.weights.ModelFormatException;
import dev.weft.runtime.weights.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// What every backend promises of adapters: a row with one is what the merged weights give, and
/// depends neither on its neighbours' adapters nor on whether they have any.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class AdapterContractTest {
  private static final int BLOCKS = 48;
  private static final int CONTEXT = 192;
  private static final int[] WHOLE = {};

  private final List<AutoCloseable> open = new ArrayList<>();
  private Backend backend = new ReferenceBackend(1);

  @TempDir protected Path directory;

  /// A new backend to test; closed after each test.
  protected abstract Backend open();

  /// The largest difference from the reference's logits over merged weights, in standard deviations
  /// of these, for a base of float32.
  protected abstract double maxRelativeDifference();

  protected Quantization quantization() {
    return Quantization.NONE;
  }

  /// The bases' element types to try.
  protected Stream<DType> bases() {
    return Stream.of(DType.F32, DType.BF16, DType.Q8_0, DType.Q4_1, DType.Q6_K);
  }

  @BeforeEach
  final void openBackend() {
    backend = open();
  }

  @AfterEach
  final void closeAll() throws Exception {
    for (AutoCloseable closeable : open.reversed()) {
      closeable.close();
    }
    open.clear();
    backend.close();
  }

  @ParameterizedTest
  @MethodSource("adapters")
  void isWhatMergedWeightsAre(DType type, int rank, List<String> parts) {
    ModelPackage model = model(DType.F32);
    var adapter = RandomAdapters.of(spec(model), parts, rank, type, 11);
    var reference = new ReferenceBackend(1);
    open.add(reference);
    Weights merged = RandomAdapters.merged(model.weights(), adapter);
    var expected = new DecoderDriver(compile(reference, spec(model), merged), BLOCKS);
    var compiled = compile(backend, spec(model), model.weights());
    var actual = new DecoderDriver(compiled, BLOCKS);
    int handle = compiled.addAdapter(adapter);
    int[] tokens = tokens(37, 5);

    float[][] want = expected.logits(tokens);
    float[][] got = actual.logits(handle, tokens, WHOLE);
    float[][] plain = actual.logits(tokens);

    assertThat(difference(got, want)).isLessThanOrEqualTo(maxRelativeDifference());
    assertThat(difference(plain, want))
        .as("the adapter changes what the model says")
        .isGreaterThan(0.05);
  }

  static Stream<Arguments> adapters() {
    List<String> all = AdapterWeights.PARTS;
    return Stream.of(
        Arguments.of(DType.F32, 8, all),
        Arguments.of(DType.F16, 16, all),
        Arguments.of(DType.BF16, 5, all),
        Arguments.of(DType.F32, 1, all),
        Arguments.of(DType.F32, 67, all),
        Arguments.of(DType.F32, 8, List.of("attn_q", "attn_v")),
        Arguments.of(DType.F32, 8, List.of("ffn_up")),
        Arguments.of(DType.F32, 8, List.of("ffn_gate")),
        Arguments.of(DType.F32, 8, List.of("attn_output", "ffn_down")));
  }

  @ParameterizedTest
  @MethodSource("bases")
  void rowsDoNotDependOnChunks(DType base) {
    var compiled = compile(base);
    int handle = compiled.addAdapter(RandomAdapters.all(spec(model(base)), 12, DType.F32, 3));
    var driver = new DecoderDriver(compiled, BLOCKS);
    int[] tokens = tokens(61, 1);
    float[][] whole = driver.logits(handle, tokens, WHOLE);

    assertSame(driver.logits(handle, tokens, new int[] {1, 16, 5, 20}), whole);
    int[] ones = new int[61];
    Arrays.fill(ones, 1);
    assertSame(driver.logits(handle, tokens, ones), whole);
  }

  @ParameterizedTest
  @MethodSource("bases")
  void rowsDoNotDependOnTheirNeighboursAdapters(DType base) {
    var compiled = compile(base);
    var spec = spec(model(base));
    int[] handles = {
      StepBatch.Entry.NO_ADAPTER,
      compiled.addAdapter(RandomAdapters.all(spec, 8, DType.F32, 1)),
      compiled.addAdapter(RandomAdapters.all(spec, 24, DType.BF16, 2)),
      compiled.addAdapter(RandomAdapters.of(spec, List.of("attn_q", "ffn_up"), 3, DType.F16, 3))
    };
    var driver = new DecoderDriver(compiled, BLOCKS);
    var random = new SplittableRandom(9);
    for (int round = 0; round < 4; round++) {
      var runs = new ArrayList<DecoderDriver.Run>();
      var entries = new ArrayList<StepBatch.Entry>();
      var alone = new ArrayList<float[][]>();
      for (int i = 0; i < 8; i++) {
        int[] tokens = tokens(round == 0 ? 1 : 1 + random.nextInt(24), 100 * round + i);
        int adapter = handles[random.nextInt(handles.length)];
        alone.add(driver.logits(adapter, tokens, WHOLE));
        var run = driver.start(adapter);
        runs.add(run);
        entries.add(run.entry(List.of(), tokens));
      }
      var results = compiled.forward(new StepBatch(entries)).await().entries();
      for (int i = 0; i < entries.size(); i++) {
        assertSame(results.get(i).logits(), alone.get(i));
      }
      runs.forEach(DecoderDriver.Run::end);
    }
  }

  @Test
  void aModelIsItselfAgainWithoutTheAdapter() {
    var compiled = compile(DType.F32);
    var driver = new DecoderDriver(compiled, BLOCKS);
    int[] tokens = tokens(20, 4);
    float[][] plain = driver.logits(tokens);
    var adapter = RandomAdapters.all(spec(model(DType.F32)), 8, DType.F32, 1);
    int first = compiled.addAdapter(adapter);
    float[][] adapted = driver.logits(first, tokens, WHOLE);

    assertSame(driver.logits(tokens), plain);
    compiled.removeAdapter(first);
    assertSame(driver.logits(tokens), plain);
    int second = compiled.addAdapter(adapter);
    assertThat(second).isNotEqualTo(first);
    assertSame(driver.logits(second, tokens, WHOLE), adapted);
    assertThatThrownBy(() -> driver.logits(first, tokens, WHOLE))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> compiled.removeAdapter(first))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void refusesAnAdapterOfAnotherModel() {
    var compiled = compile(DType.F32);
    var other =
        ModelFiles.open(TinyModels.llama(directory, 8).hidden(128).intermediate(512).writeGguf());
    open.add(other);
    var adapter = RandomAdapters.all((DecoderSpec) other.spec(), 8, DType.F32, 1);

    assertThatThrownBy(() -> compiled.addAdapter(adapter))
        .isInstanceOf(ModelFormatException.class)
        .hasMessageContaining("blk.0.attn_q.lora_a")
        .hasMessageContaining("[8, 128]")
        .hasMessageContaining("[8, 256]");
  }

  @Test
  void saysWhatAnAdapterTakes() {
    var compiled = compile(DType.F32);
    var spec = spec(model(DType.F32));
    var small = RandomAdapters.all(spec, 4, DType.F32, 1);
    var large = RandomAdapters.all(spec, 16, DType.F32, 1);

    assertThat(compiled.adapterBytes(small)).isBetween(small.byteSize(), 2 * small.byteSize());
    assertThat(compiled.adapterBytes(large)).isGreaterThan(compiled.adapterBytes(small));
  }

  private DecoderExecutable compile(DType type) {
    ModelPackage model = model(type);
    return compile(backend, spec(model), model.weights());
  }

  private DecoderExecutable compile(Backend on, DecoderSpec spec, Weights weights) {
    Quantization quantization = on.equals(backend) ? quantization() : Quantization.NONE;
    var options = new CompileOptions(quantization, CONTEXT, BLOCKS, 256, 8);
    var compiled = on.compile(spec, weights, options);
    open.add(compiled);
    return compiled;
  }

  private ModelPackage model(DType type) {
    var llama = TinyModels.llama(directory, 7).hidden(256).intermediate(512).dtype(type);
    var model = ModelFiles.open(llama.writeGguf());
    open.add(model);
    return model;
  }

  private static DecoderSpec spec(ModelPackage model) {
    return (DecoderSpec) model.spec();
  }

  private static int[] tokens(int count, long seed) {
    return new SplittableRandom(seed).ints(count, 3, 250).toArray();
  }

  /// To the bit.
  private static void assertSame(float[][] actual, float[][] expected) {
    assertThat(Arrays.deepEquals(actual, expected)).isTrue();
  }

  /// The largest, in standard deviations of what is expected.
  private static double difference(float[][] actual, float[][] expected) {
    double max = 0;
    double sum = 0;
    double squares = 0;
    long count = 0;
    for (int row = 0; row < expected.length; row++) {
      for (int i = 0; i < expected[row].length; i++) {
        double difference = Math.abs(actual[row][i] - expected[row][i]);
        max = difference <= max ? max : difference;
        sum += expected[row][i];
        squares += (double) expected[row][i] * expected[row][i];
        count++;
      }
    }
    double mean = sum / count;
    return max / Math.sqrt(squares / count - mean * mean);
  }
}
