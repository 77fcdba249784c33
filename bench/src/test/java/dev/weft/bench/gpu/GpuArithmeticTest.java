package dev.weft.bench.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.weft.bench.gpu.ProductRun.Peer;
import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.Finding.Verdict;
import dev.weft.bench.report.PartRecorder;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.runtime.engine.Engine;
import dev.weft.runtime.engine.EngineObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// What is judged follows from what was measured.
class GpuArithmeticTest {
  private static final RevisionId FUNCTION = new RevisionId(new FunctionName("f"), 1);

  private static StepLog.Step step(int decodeRows, int prefillRows, long nanos, long stallNanos) {
    return new StepLog.Step(
        FUNCTION,
        nanos,
        new EngineObserver.Step(Duration.ofNanos(nanos), 1, decodeRows, prefillRows),
        stallNanos,
        Engine.Load.idle(16));
  }

  @Test
  void aStepReadsWeightsOnceAndKvOfEverySequence() {
    StepBytes seven = StepBytes.of(ModelShape.LLAMA_2_7B);
    // 6.48e9 elements of the layers, and the output; not the embedding.
    assertThat(seven.weights() / 1e9).isCloseTo(13.21, within(0.01));
    assertThat(seven.token()).isEqualTo(512 << 10);
    assertThat(StepBytes.of(ModelShape.LLAMA_3_1_8B).token()).isEqualTo(128 << 10);
    assertThat(seven.with(1000)).isEqualTo(seven.weights() + 1000.0 * (512 << 10));
    // One matrix is both.
    assertThat(StepBytes.of(ModelShape.LLAMA_1B).weights() / 1e9).isCloseTo(2.47, within(0.01));
  }

  @Test
  void whatIsReservedIsWhatAStepHasAtOneTime() {
    assertThat(ElasticSizes.reservedBytes(ModelShape.LLAMA_3_1_8B, 262_144)).isEqualTo(25L << 30);
  }

  @Test
  void theHostHasRoomForThreeSets() {
    long sets = ColdSizes.LARGE.hostBytes();
    assertThat(sets / 1e9).isBetween(3 * 13.47, 3 * 13.6);
    assertThat(sets % ColdSizes.LARGE.slabBytes()).isZero();
  }

  @Test
  void onlyStepsOfTheWholeBatchAreTimed() {
    List<StepLog.Step> steps = new ArrayList<>();
    steps.add(step(0, 512, 9, 0));
    steps.add(step(3, 512, 9, 0));
    for (int i = 0; i < 60; i++) {
      steps.add(step(4, 0, i, 0));
    }
    steps.add(step(3, 0, 9, 0));
    List<StepLog.Step> timed = DecodePart.timed(steps, 4);
    assertThat(timed).hasSize(48);
    assertThat(timed.getFirst().nanos()).isEqualTo(8);
    assertThatThrownBy(() -> DecodePart.timed(steps, 3))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("3 sequences were decoded together in 0 steps only");
  }

  @Test
  void stallsAreAShareOfTheTimeBetweenTheEndsOfSteps() {
    assertThat(ElasticPart.stalls(List.of(step(1, 0, 900, 1), step(1, 0, 1100, 9))))
        .isCloseTo(0.5, within(1e-9));
  }

  @Test
  void lossIsAgainstOneFunctionAlone() {
    assertThat(SwitchingPart.loss(200, 197)).isCloseTo(1.5, within(1e-9));
    assertThat(SwitchingPart.loss(200, 202)).isNegative();
  }

  private static void arm(
      PartRecorder recorder, String label, double batch, double step, double gigabytes) {
    recorder.add(label, "sequences running while others wait", 0, "weft", batch);
    recorder.add(label, "decode while others wait, tok/s", 1, "weft", batch / step);
    recorder.add(label, "bytes that it reads, GB", 2, "weft", gigabytes);
    recorder.add(label, "read by it, TB/s", 3, "weft", gigabytes / step / 1000);
    recorder.add(label, "changes of mappings, % of steps' time", 3, "weft", 0.4);
  }

  private static Finding finding(List<Finding> findings, String key) {
    return findings.stream().filter(each -> each.key().equals(key)).findFirst().orElseThrow();
  }

  @Test
  void elasticMemoryIsHeldToItsTargets() {
    var recorder = new PartRecorder();
    arm(recorder, "static split: its half alone", 4, 0.0175, 60);
    arm(recorder, "elastic: two functions, one busy", 8, 0.035, 105);
    arm(recorder, "two functions, activations reserved", 5, 0.025, 75);
    recorder.add(
        "elastic: a prompt is computed", "changes of mappings, % of steps' time", 3, "weft", 1.2);
    new ElasticPart.ElasticJudge(recorder, new StepBytes(1, 1), 4e12).judge();
    List<Finding> findings = recorder.result("elastic", "Elastic", Map.of()).findings();
    assertThat(finding(findings, "4/split/batch").figure()).isEqualTo("2.00 x");
    // 105 GB are read in 26.25 ms at best.
    assertThat(finding(findings, "4/bound").figure()).isEqualTo("0.750 x");
    assertThat(finding(findings, "4/bound").verdict()).isEqualTo(Verdict.MISSED);
    assertThat(finding(findings, "4/rate").figure()).isEqualTo("0.875 x");
    assertThat(finding(findings, "4/reserved/batch").figure()).isEqualTo("1.60 x");
    assertThat(finding(findings, "4/reserved/speed").figure()).isEqualTo("1.14 x");
    assertThat(finding(findings, "4/reserved/allowed").figure()).isEqualTo("1.14 x");
    assertThat(finding(findings, "4/stalls/decode").verdict()).isEqualTo(Verdict.MET);
    assertThat(finding(findings, "4/stalls/prompt").verdict()).isEqualTo(Verdict.MISSED);
  }

  /// The last product alone takes the peer twice as long, and has 22 % of the bytes.
  @Test
  void productsAreComparedByWhatALayerTakes() {
    var recorder = new PartRecorder();
    for (LayerProduct product : LayerProduct.of(ModelShape.LLAMA_2_7B)) {
      String label = "llama-2-7b, " + product.name();
      recorder.add(label, "1 row, TB/s of weights", 2, "weft", 4);
      recorder.add(
          label, "1 row, TB/s of weights", 2, "cuBLASLt", product.name().equals("down") ? 2 : 4);
    }
    ProductsPart.judge(recorder, ModelShape.LLAMA_2_7B, 1, 4.5e12);
    List<Finding> findings = recorder.result("products", "Products", Map.of()).findings();
    assertThat(finding(findings, "products/llama-2-7b/1").figure())
        .isEqualTo("1.22 x (query-key-value 1.00, attention output 1.00, gate-up 1.00, down 2.00)");
    assertThat(finding(findings, "products/llama-2-7b/1/read").figure())
        .isEqualTo("88.9 %; cuBLASLt 72.7 %");
  }

  @Test
  void aLayersProductsHaveAllItsMatrices() {
    for (ModelShape shape : List.of(ModelShape.LLAMA_2_7B, ModelShape.LLAMA_3_1_8B)) {
      long layers =
          shape.layers()
              * LayerProduct.of(shape).stream().mapToLong(LayerProduct::weightBytes).sum();
      long output = 2L * shape.vocabulary() * shape.hidden();
      assertThat(layers + output).isEqualTo(2 * shape.matrixElements());
    }
  }

  @Test
  void countsOfRowsAreListed() {
    Map<Integer, Peer> peers = new LinkedHashMap<>();
    peers.put(1, new Peer(true, 1));
    peers.put(64, new Peer(false, 2));
    peers.put(2048, new Peer(true, 1));
    assertThat(ProductsPart.counts(peers, Peer::sameBits)).isEqualTo("1, 2048");
    assertThat(ProductsPart.counts(peers, peer -> peer.splits() > 1)).isEqualTo("64");
    assertThat(ProductsPart.counts(peers, _ -> true)).isEqualTo("all");
    assertThat(ProductsPart.counts(peers, _ -> false)).isEqualTo("none");
  }

  @Test
  void everyCaseWithATargetHasAFigureToReach() {
    assertThat(DecodePart.CASES)
        .allMatch(each ->
            VllmFigures.decode(each.shape().name(), each.batch(), each.context()).isPresent());
    assertThat(DecodePart.CASES.stream().map(DecodeCase::key)).doesNotHaveDuplicates();
  }
}
