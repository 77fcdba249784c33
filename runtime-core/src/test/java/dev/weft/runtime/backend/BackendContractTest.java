package dev.weft.runtime.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.model.TinyModels;
import dev.weft.runtime.sampling.HostSampler;
import dev.weft.runtime.sampling.SampleRequest;
import dev.weft.runtime.sampling.SampledToken;
import dev.weft.runtime.sampling.SampledToken.Alternative;
import dev.weft.runtime.sampling.SamplingParameters;
import dev.weft.runtime.scheduling.Sequence;
import dev.weft.runtime.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What every backend promises, over small random models: a row's result depends on its sequence
/// alone, and is what the reference computes, within the backend's own bounds.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class BackendContractTest {
  protected static final int BLOCKS = 48;
  private static final int CONTEXT = 192;

  private final List<AutoCloseable> open = new ArrayList<>();
  private Backend backend = new ReferenceBackend(1);

  @TempDir protected Path directory;

  /// A new backend to test; closed after each test.
  protected abstract Backend open();

  protected Quantization quantization() {
    return Quantization.NONE;
  }

  protected KvType kvType() {
    return KvType.F16;
  }

  /// The element types of files to compare with the reference.
  protected Stream<DType> types() {
    return Stream.of(DType.values());
  }

  /// The element types whose rows are tried beside others: those that a backend computes each in a
  /// way of its own.
  protected Stream<DType> invariantTypes() {
    return Stream.of(DType.F32);
  }

  /// The largest difference from the reference's logits, in standard deviations of these, that the
  /// backend allows itself for weights of a type. Where the best token leads by twice as much, it
  /// must be the same.
  protected abstract double maxRelativeDifference(DType type);

  /// By how much a log-probability may differ from what the host's sampler makes of the same
  /// logits, beside a rounding.
  protected double maxLogprobDifference() {
    return 0;
  }

  /// The smallest cosine between a vector and the reference's.
  protected abstract double minCosine();

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
  @MethodSource("invariantTypes")
  void rowsDoNotDependOnChunks(DType type) {
    var driver = decoder(type);
    int[] tokens = tokens(61, 1);
    float[][] whole = driver.logits(tokens);

    assertThat(driver.logits(tokens, 1, 16, 5, 20)).isEqualTo(whole);
    assertThat(driver.logits(tokens, 60)).isEqualTo(whole);
    int[] ones = new int[61];
    Arrays.fill(ones, 1);
    assertThat(driver.logits(tokens, ones)).isEqualTo(whole);
  }

  @ParameterizedTest
  @MethodSource("invariantTypes")
  void rowsDoNotDependOnNeighbours(DType type) {
    var compiled = compile(type);
    var driver = new DecoderDriver(compiled, BLOCKS);
    int[] tokens = tokens(33, 2);
    float[][] alone = driver.logits(tokens);

    for (int neighbours : new int[] {1, 3, 7}) {
      var entries = new ArrayList<StepBatch.Entry>();
      var runs = new ArrayList<DecoderDriver.Run>();
      for (int i = 0; i < neighbours; i++) {
        var run = driver.start();
        runs.add(run);
        entries.add(run.entry(List.of(), tokens(1 + 7 * i % 20, i)));
      }
      var run = driver.start();
      runs.add(run);
      entries.add(neighbours / 2, run.entry(List.of(), tokens));
      var results = compiled.forward(new StepBatch(entries)).await().entries();
      assertThat(results.get(neighbours / 2).logits()).isEqualTo(alone);
      runs.forEach(DecoderDriver.Run::end);
    }
  }

  @Test
  void rowsDoNotDependOnWhichBlocksHoldThem() {
    var driver = decoder(DType.F32);
    int[] tokens = tokens(50, 3);
    float[][] fresh = driver.logits(tokens);

    // Fragments the cache and leaves other sequences' values in what is handed out next.
    var held = new ArrayList<DecoderDriver.Run>();
    for (int i = 0; i < 6; i++) {
      var run = driver.start();
      run.add(tokens(20 + i, 10 + i));
      held.add(run);
    }
    held.get(4).end();
    held.get(1).end();
    held.get(3).end();

    assertThat(driver.logits(tokens, 9, 30)).isEqualTo(fresh);
  }

  @ParameterizedTest
  @MethodSource("types")
  void agreesWithTheReference(DType type) {
    var reference = new ReferenceBackend(1);
    open.add(reference);
    var model = model(type);
    var expected = new DecoderDriver(compile(reference, Quantization.NONE, model), BLOCKS);
    var actual = new DecoderDriver(compile(backend, quantization(), model), BLOCKS);
    var prompts = List.of(tokens(5, 1), tokens(40, 2), tokens(17, 3));

    var agreement =
        BackendAgreement.measure(actual, expected, prompts, 24, 2 * maxRelativeDifference(type));

    assertThat(agreement.maxRelativeDifference())
        .as("%s", agreement)
        .isLessThanOrEqualTo(maxRelativeDifference(type));
    assertThat(agreement.disagreements()).isZero();
    assertThat(agreement.decided()).as("rows whose best token leads: %s", agreement).isPositive();
  }

  @Test
  void samplesTheTokenThatTheHostSamplerChooses() {
    var compiled = compile(DType.F32);
    var driver = new DecoderDriver(compiled, BLOCKS);
    int[] tokens = tokens(12, 4);
    var history = new Sequence(tokens, 64, false, 0);
    for (var parameters :
        List.of(
            SamplingParameters.GREEDY,
            new SamplingParameters(0.8, 20, 0.9, 0.01, 0.5, 0.5, 1.1, Map.of(9, 2f), 7, 3))) {
      var request = new SampleRequest(parameters, tokens.length, history, Set.of(2));
      var run = driver.start();
      var result =
          compiled
              .forward(new StepBatch(List.of(run.entry(List.of(request), tokens))))
              .await()
              .entries()
              .getFirst();
      run.end();

      float[] logits = result.logits()[tokens.length - 1];
      var expected = new HostSampler().sample(logits.clone(), request);
      assertThat(result.sampled()).hasSize(1);
      assertIs(result.sampled().getFirst(), expected);
    }
  }

  private void assertIs(SampledToken actual, SampledToken expected) {
    assertThat(actual.token()).isEqualTo(expected.token());
    assertIs(actual.logprob(), expected.logprob());
    assertThat(actual.alternatives()).hasSameSizeAs(expected.alternatives());
    for (int i = 0; i < expected.alternatives().size(); i++) {
      Alternative likely = expected.alternatives().get(i);
      assertThat(actual.alternatives().get(i).token()).isEqualTo(likely.token());
      assertIs(actual.alternatives().get(i).logprob(), likely.logprob());
    }
  }

  private void assertIs(float logprob, float expected) {
    double most = maxLogprobDifference();
    if (most == 0 || Float.isNaN(expected)) {
      assertThat(Float.valueOf(logprob)).isEqualTo(Float.valueOf(expected));
    } else {
      assertThat(logprob).isCloseTo(expected, within((float) most + Math.ulp(expected)));
    }
  }

  /// A guess is checked in one step: the tokens are those of steps of one row, and end behind the
  /// first that was guessed wrongly.
  @Test
  void samplesAfterSeveralRowsWhatSingleStepsSample() {
    var compiled = compile(DType.F32);
    var driver = new DecoderDriver(compiled, BLOCKS);
    int[] prompt = tokens(19, 5);
    for (var parameters :
        List.of(
            SamplingParameters.GREEDY,
            new SamplingParameters(0.9, 0, 0.95, 0, 0.3, 0.2, 1.05, Map.of(), 11, 2))) {
      int draft = 6;
      var plain = new Sequence(prompt, prompt.length + draft + 1, false, 0);
      var expected = new ArrayList<SampledToken>();
      var run = driver.start();
      int[] next = prompt;
      for (int i = 0; i <= draft; i++) {
        var request = new SampleRequest(parameters, plain.length(), plain, Set.of());
        var token = sampled(compiled, run.entry(List.of(request), next)).getFirst();
        expected.add(token);
        plain.append(token.token());
        next = new int[] {token.token()};
      }
      run.end();

      for (int wrong = 0; wrong <= draft; wrong++) {
        run = driver.start();
        run.add(prompt);
        run.back(1);
        int[] rows = plain.tokens(prompt.length - 1, draft + 1);
        if (wrong > 0) {
          rows[wrong] = (rows[wrong] + 1) % 250;
        }
        var requests = new ArrayList<SampleRequest>();
        for (int i = 0; i <= draft; i++) {
          int length = prompt.length + i;
          var history = new Sequence(prompt, plain.length() + 1, false, 0);
          Arrays.stream(plain.tokens(prompt.length, i)).forEach(history::append);
          requests.add(new SampleRequest(parameters, length, history, Set.of()));
        }
        var tokens = sampled(compiled, run.entry(requests, rows));
        run.end();

        assertThat(tokens).isEqualTo(expected.subList(0, wrong == 0 ? draft + 1 : wrong));
      }
    }
  }

  private static List<SampledToken> sampled(DecoderExecutable decoder, StepBatch.Entry entry) {
    return decoder.forward(new StepBatch(List.of(entry))).await().entries().getFirst().sampled();
  }

  @Test
  void movedBlocksHoldWhatTheyHeld() {
    var compiled = compile(DType.F32);
    int[] tokens = tokens(50, 6);
    float[][] expected = new DecoderDriver(compiled, BLOCKS).logits(tokens);
    int count = compiled.kvLayout().blocksFor(tokens.length);
    int[] high = IntStream.range(BLOCKS - count, BLOCKS).toArray();
    int[] low = IntStream.range(0, count).map(i -> count - 1 - i).toArray();

    int before = 37;
    logits(compiled, entry(part(tokens, 0, before), 0, high, true));
    compiled.moveBlocks(high, low);
    compiled.releaseBlocks(high);

    assertThat(logits(compiled, entry(part(tokens, before, 50), before, low, true)))
        .isEqualTo(Arrays.copyOfRange(expected, before, 50));
  }

  @Test
  void savedBlocksComeBackElsewhere() {
    var compiled = compile(DType.F32);
    int[] tokens = tokens(50, 7);
    float[][] expected = new DecoderDriver(compiled, BLOCKS).logits(tokens);
    int count = compiled.kvLayout().blocksFor(tokens.length);
    int[] there = IntStream.range(2, 2 + count).toArray();
    int[] here = IntStream.range(0, count).map(i -> BLOCKS - 1 - 2 * i).toArray();

    int before = 41;
    logits(compiled, entry(part(tokens, 0, before), 0, there, true));
    try (Arena arena = Arena.ofConfined()) {
      // An odd address: a file's buffer is aligned to nothing.
      long bytes = count * compiled.kvLayout().blockBytes();
      MemorySegment saved = arena.allocate(bytes + 1).asSlice(1);
      compiled.saveBlocks(there, saved);
      logits(compiled, entry(tokens(50, 8), 0, there, true));
      compiled.loadBlocks(here, saved);
    }

    assertThat(logits(compiled, entry(part(tokens, before, 50), before, here, true)))
        .isEqualTo(Arrays.copyOfRange(expected, before, 50));
  }

  /// One by one, as [KvFormat] says where they lie.
  @Test
  void tokensTakenOutOfBlocksGoIntoOthers() {
    var compiled = compile(DType.F32);
    KvFormat format = compiled.kvFormat();
    KvLayout layout = compiled.kvLayout();
    int[] tokens = tokens(50, 9);
    float[][] expected = new DecoderDriver(compiled, BLOCKS).logits(tokens);
    int count = layout.blocksFor(tokens.length);
    int[] there = IntStream.range(0, count).toArray();
    int[] here = IntStream.range(0, count).map(i -> BLOCKS - 1 - i).toArray();

    int before = 43;
    logits(compiled, entry(part(tokens, 0, before), 0, there, true));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment from = arena.allocate(count * layout.blockBytes());
      MemorySegment to = arena.allocate(count * layout.blockBytes());
      MemorySegment token = arena.allocate(format.tokenBytes());
      compiled.saveBlocks(there, from);
      for (int i = 0; i < before; i++) {
        long block = i / layout.blockTokens() * layout.blockBytes();
        format.take(from.asSlice(block, layout.blockBytes()), i % layout.blockTokens(), token);
        format.put(token, to.asSlice(block, layout.blockBytes()), i % layout.blockTokens());
      }
      compiled.loadBlocks(here, to);
    }
    compiled.releaseBlocks(there);

    assertThat(logits(compiled, entry(part(tokens, before, 50), before, here, true)))
        .isEqualTo(Arrays.copyOfRange(expected, before, 50));
  }

  private static int[] part(int[] tokens, int from, int to) {
    return Arrays.copyOfRange(tokens, from, to);
  }

  /// Rows after which no token is chosen.
  private static StepBatch.Entry entry(
      int[] tokens, int position, int[] blocks, boolean keepLogits) {
    return new StepBatch.Entry(
        tokens, position, blocks, List.of(), keepLogits, StepBatch.Entry.NO_ADAPTER);
  }

  private static float[][] logits(DecoderExecutable decoder, StepBatch.Entry entry) {
    return decoder.forward(new StepBatch(List.of(entry))).await().entries().getFirst().logits();
  }

  @Test
  void refusesTokensAndPositionsOutOfRange() {
    var compiled = compile(DType.F32);
    int[] block = {0};
    for (var entry :
        List.of(
            entry(new int[] {300}, 0, block, false),
            entry(new int[] {-1}, 0, block, false),
            entry(new int[] {1}, 0, new int[] {BLOCKS}, false),
            entry(new int[] {1}, 0, new int[] {-1}, false),
            entry(new int[] {1}, 0, new int[0], false),
            entry(new int[] {1}, CONTEXT, new int[CONTEXT], false))) {
      assertThatThrownBy(() -> compiled.forward(new StepBatch(List.of(entry))).await())
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThat(new DecoderDriver(compiled, BLOCKS).logits(tokens(3, 1))).hasNumberOfRows(3);
  }

  @Test
  void saysWhatAModelTakesBeforeCompilingIt() {
    var model = model(DType.F32);
    var spec = (DecoderSpec) model.spec();
    var footprint = backend.footprint(spec, model.weights(), options(quantization()));
    var compiled = compile(backend, quantization(), model);

    assertThat(footprint.kv()).isEqualTo(compiled.kvLayout());
    assertThat(footprint.weightBytes()).isPositive();
    assertThat(footprint.activationBytes()).isPositive();
  }

  @Test
  void aTextsVectorDoesNotDependOnItsNeighbours() {
    var encoder = encoder(backend, quantization());
    var texts = List.of(text(3, 1), text(32, 2), text(1, 3), text(17, 4));

    var together = encoder.forward(texts);

    for (int i = 0; i < texts.size(); i++) {
      assertThat(encoder.forward(List.of(texts.get(i))).getFirst()).isEqualTo(together.get(i));
    }
    assertThat(encoder.forward(texts.reversed()).getFirst()).isEqualTo(together.getLast());
  }

  @Test
  void vectorsAgreeWithTheReference() {
    var reference = new ReferenceBackend(1);
    open.add(reference);
    var expected = encoder(reference, Quantization.NONE);
    var actual = encoder(backend, quantization());
    for (int length : new int[] {1, 2, 7, 31, 32}) {
      var text = List.of(text(length, length));
      float[] a = actual.forward(text).getFirst();
      float[] b = expected.forward(text).getFirst();
      assertThat(a).hasSize(actual.dimensions());
      assertThat(cosine(a, b)).isGreaterThanOrEqualTo(minCosine());
    }
  }

  @Test
  void refusesTextsThatTheEncoderCannotHold() {
    var encoder = encoder(backend, quantization());

    assertThatThrownBy(() -> encoder.forward(List.of(new int[0])))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> encoder.forward(List.of(tokens(10_000, 1))))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> encoder.forward(List.of(new int[] {1_000_000})))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private DecoderDriver decoder(DType type) {
    return new DecoderDriver(compile(type), BLOCKS);
  }

  private DecoderExecutable compile(DType type) {
    return compile(backend, quantization(), model(type));
  }

  private DecoderExecutable compile(Backend on, Quantization quantization, ModelPackage model) {
    var compiled = on.compile((DecoderSpec) model.spec(), model.weights(), options(quantization));
    open.add(compiled);
    return compiled;
  }

  private EncoderExecutable encoder(Backend on, Quantization quantization) {
    var model = ModelFiles.open(TinyModels.bert(directory, 7).writeSafetensors());
    open.add(model);
    var compiled =
        on.compile(
            (EncoderSpec) model.spec(),
            model.weights(),
            new CompileOptions(quantization, 64, 0, 256, 8));
    open.add(compiled);
    return compiled;
  }

  /// Quantised types want rows of 256.
  private ModelPackage model(DType type) {
    var llama = TinyModels.llama(directory, 7).hidden(256).intermediate(512).dtype(type);
    Path file = llama.writeGguf();
    assertThat(Files.exists(file)).isTrue();
    var model = ModelFiles.open(file);
    open.add(model);
    return model;
  }

  private CompileOptions options(Quantization quantization) {
    return new CompileOptions(quantization, kvType(), CONTEXT, BLOCKS, 256, 8);
  }

  private static int[] tokens(int count, long seed) {
    return new SplittableRandom(seed).ints(count, 3, 250).toArray();
  }

  /// Within the encoder's small vocabulary.
  private static int[] text(int count, long seed) {
    return new SplittableRandom(seed).ints(count, 0, 80).toArray();
  }

  private static double cosine(float[] a, float[] b) {
    double dot = 0;
    double squaresA = 0;
    double squaresB = 0;
    for (int i = 0; i < a.length; i++) {
      dot += (double) a[i] * b[i];
      squaresA += (double) a[i] * a[i];
      squaresB += (double) b[i] * b[i];
    }
    return dot / Math.sqrt(squaresA * squaresB);
  }
}
