package dev.weft.bench.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.weft.bench.gpu.cublas.CublasLt;
import dev.weft.bench.gpu.cublas.FakeCublasLt;
import dev.weft.bench.models.BenchModels;
import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.Finding.Verdict;
import dev.weft.bench.report.PartRecorder;
import dev.weft.bench.report.PartResult;
import dev.weft.runtime.model.TinyModels;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Parts run from their beginning to their end, on a tiny model and an emulated GPU: whatever they
/// measure there, they do what they say.
@Timeout(240)
class GpuPartsTest {
  private static final ModelShape SHAPE =
      new ModelShape("tiny", false, 320, 256, 1, 64, 128, 2, 2, 32, 1e-5, 1e4, false);

  /// A chunk holds the keys and values of 512 tokens.
  private static final ModelShape WIDE =
      new ModelShape("wide", false, 320, 512, 4, 64, 128, 4, 4, 64, 1e-5, 1e4, false);

  /// Its last product is cut into two slices.
  private static final ModelShape DEEP =
      new ModelShape("deep", false, 320, 256, 1, 32, 1040, 1, 1, 32, 1e-5, 1e4, false);

  @TempDir private Path directory;

  private PartResult run(GpuPart part) throws IOException, InterruptedException {
    var recorder = new PartRecorder();
    var setting =
        new GpuSetting(
            1,
            new EmulatedBenchGpu(),
            () -> BenchModels.random(directory, TinyModels.llama(directory, 1).writeGguf()),
            directory.resolve("work"));
    part.run(setting, recorder);
    return recorder.result(part.name(), part.title(), Map.of());
  }

  private static Finding finding(PartResult result, String key) {
    return result.findings().stream()
        .filter(each -> each.key().equals(key))
        .findFirst()
        .orElseThrow();
  }

  private static double median(PartResult result, String label, String quantity) {
    return result.series().stream()
        .filter(row -> row.label().equals(label) && row.quantity().equals(quantity))
        .flatMap(row -> row.samples().values().stream())
        .findFirst()
        .orElseThrow()
        .getFirst();
  }

  /// A sequence takes a chunk, of which half the memory has about 3 for KV, and all of it 9.
  @Test
  void elasticMemoryHasMoreSequencesAtWork() throws IOException, InterruptedException {
    var sizes =
        new ElasticSizes(
            WIDE,
            OptionalLong.of(28L << 20),
            new EngineRun.Bounds(512, 128, 16),
            List.of(380, 420, 400),
            80,
            14,
            4,
            Duration.ofMinutes(2),
            6144,
            400,
            64,
            8);
    PartResult result = run(new ElasticPart(sizes));
    String running = "sequences running while others wait";
    double split = median(result, "static split: its half alone", running);
    double elastic = median(result, "elastic: two functions, one busy", running);
    double reserved = median(result, "two functions, activations reserved", running);
    assertThat(elastic).isGreaterThanOrEqualTo(2 * split).isLessThan(14);
    assertThat(reserved).isBetween(split, elastic - 1);
    assertThat(finding(result, "4/split/batch").verdict()).isEqualTo(Verdict.MET);
    assertThat(result.findings().stream().map(Finding::key))
        .contains(
            "4/bound",
            "4/rate",
            "4/reserved/batch",
            "4/reserved/speed",
            "4/stalls/decode",
            "4/stalls/prompt");
    assertThat(
            result.series().stream()
                .filter(row -> row.quantity().startsWith("a call of the driver")))
        .hasSizeGreaterThan(10);
  }

  @Test
  void coldStartsComeFromEveryTier() throws IOException, InterruptedException {
    var sizes =
        new ColdSizes(SHAPE, 256, 16, 64 << 10, OptionalLong.of(96L << 20), 64L << 20, 5, 2);
    List<Path> dropped = new ArrayList<>();
    PartResult result = run(new ColdStartPart(sizes, dropped::addAll));
    assertThat(dropped).hasSize(4).doesNotHaveDuplicates();
    for (String from :
        List.of(
            "from pinned memory of the host",
            "from the page cache",
            "from the disk, page cache dropped",
            "5 functions over 3 sets, 0 GiB, by turns")) {
      assertThat(median(result, from, "first token, s")).isPositive();
    }
    assertThat(finding(result, "5/host").figure()).endsWith(" x");
    assertThat(finding(result, "5/turns").figure()).matches("[0-9.]+ s, [0-9.]+ s");
  }

  @Test
  void functionsTakeTurns() throws IOException, InterruptedException {
    PartResult result =
        run(new SwitchingPart(new SwitchingPart.Sizes(SHAPE, List.of(2), 16, 4, 1)));
    assertThat(result.series().getFirst().samples())
        .containsOnlyKeys("one function", "two, step by step", "two, batch by batch");
    assertThat(result.findings().stream().map(Finding::key))
        .containsExactly("6/2/steps", "6/2/batches");
  }

  private static ProductsPart products(String library) {
    var sizes =
        new ProductsPart.Sizes(
            List.of(DEEP), List.of(1, 9, 130), 1 << 20, new ProductRun.Bounds(3, 1));
    return new ProductsPart(sizes, Map.of(CublasLt.VARIABLE, library));
  }

  @Test
  void productsAreMeasuredWithoutCublas() throws IOException, InterruptedException {
    PartResult result = run(products("/nonexistent/libcublasLt.so.13"));
    assertThat(finding(result, "products/cublaslt").verdict()).isEqualTo(Verdict.NOT_MEASURED);
    assertThat(finding(result, "products/cublaslt").figure())
        .startsWith("absent: libcublasLt.so.13 cannot be loaded");
    assertThat(result.findings().stream().map(Finding::key))
        .containsExactly("products/cublaslt", "products/deep/1/read", "products/deep/9/read");
    // A sample is of three products, and of a millisecond.
    assertThat(median(result, "deep, gate-up", "130 rows, TFLOP/s"))
        .isCloseTo(130 * 2.0 * 2080 * 32 / (1e-3 / 3) / 1e12, within(1e-9));
    assertThat(result.series()).hasSize(12).allMatch(row -> !row.samples().containsKey("cuBLASLt"));
  }

  /// That both multiply the same is seen by the part itself.
  @Test
  void productsAreMeasuredBesideCublas() throws IOException, InterruptedException {
    long before = FakeCublasLt.products();
    PartResult result = run(products(FakeCublasLt.file().toString()));
    assertThat(result.remarks()).anyMatch(remark -> remark.startsWith("cuBLASLt 13.2.3"));
    // Of either of two ways one by itself and three in a graph, and one that is compared.
    assertThat(FakeCublasLt.products() - before).isEqualTo(12 * 9);
    assertThat(FakeCublasLt.alive()).isZero();
    assertThat(finding(result, "products/deep/130").figure())
        .isEqualTo("1.00 x (query-key-value 1.00, attention output 1.00, gate-up 1.00, down 1.00)");
    assertThat(finding(result, "products/deep/splits").figure())
        .isEqualTo("query-key-value: none; attention output: none; gate-up: none; down: none");
    assertThat(result.findings().stream().map(Finding::key))
        .containsExactly(
            "products/deep/1",
            "products/deep/1/read",
            "products/deep/9",
            "products/deep/9/read",
            "products/deep/130",
            "products/deep/bits",
            "products/deep/splits");
    assertThat(
            result.series().stream()
                .filter(row -> row.label().equals("deep, gate-up"))
                .map(row -> row.samples().keySet()))
        .allMatch(subjects -> subjects.equals(Set.of("weft", "weft, gates activated", "cuBLASLt")));
  }

  @Test
  void decodeIsTimedThroughTheEngine() throws IOException, InterruptedException {
    var greedy = new DecodeCase(SHAPE, 2, 16, 0);
    PartResult result = run(new DecodePart(List.of(greedy, new DecodeCase(SHAPE, 2, 16, 0, true))));
    assertThat(median(result, "tiny, batch 2, context 16", "decode, tok/s")).isPositive();
    assertThat(result.findings().stream().map(Finding::key)).containsExactly("3/tiny/2/16/sampled");
  }
}
