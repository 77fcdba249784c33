package dev.weft.bench.gpu;

import dev.weft.bench.gpu.ProductRun.Peer;
import dev.weft.bench.gpu.cublas.Cublas;
import dev.weft.bench.gpu.cublas.CublasLt;
import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.gpu.GpuBackend;
import dev.weft.runtime.gpu.GpuProducts;
import dev.weft.runtime.gpu.HostMemoryLimit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/// The products of a layer by themselves, beside cuBLASLt's.
final class ProductsPart implements GpuPart {
  /// Up to so many rows, what a product takes is reading its weights.
  private static final int FEW_ROWS = 64;

  private final Sizes sizes;
  private final Map<String, String> environment;

  /// @param weightBytes more than the device's caches hold
  record Sizes(
      List<ModelShape> shapes, List<Integer> rows, long weightBytes, ProductRun.Bounds bounds) {
    static final Sizes LARGE =
        new Sizes(
            List.of(ModelShape.LLAMA_2_7B, ModelShape.LLAMA_3_1_8B),
            List.of(1, 8, 32, 64, 128, 512, 2048, 16_384),
            1L << 30,
            new ProductRun.Bounds(64, 9));
  }

  ProductsPart() {
    this(Sizes.LARGE, System.getenv());
  }

  /// @param environment may say where cuBLASLt is
  ProductsPart(Sizes sizes, Map<String, String> environment) {
    this.sizes = sizes;
    this.environment = environment;
  }

  @Override
  public String name() {
    return "products";
  }

  @Override
  public String title() {
    return "Products";
  }

  @Override
  public void run(GpuSetting setting, PartRecorder recorder) {
    Optional<CublasLt> library = library(recorder);
    recorder.remark(
        "Random bfloat16, sums in float32. Up to %d rows: weights read, in TB/s; of more: TFLOP/s. A"
                .formatted(FEW_ROWS)
            + " sample is the mean of up to %d products, one after the other in a graph; their weights"
                .formatted(sizes.bounds().launches())
            + " take turns, so that no cache has them.");
    recorder.remark(
        "Weft's products begin before the one in front has ended, as in a step. Up to 128 rows, the"
            + " sums of a cut product are added by the kernel that reads them, which is not in here."
            + " A step has its gates activated where they are multiplied.");
    double ceiling = setting.gpu().readCeiling();
    List<LayerProduct> all =
        sizes.shapes().stream().flatMap(shape -> LayerProduct.of(shape).stream()).toList();
    try (GpuBackend backend = setting.gpu().open(HostMemoryLimit.NONE);
        GpuProducts products = backend.products();
        var memory =
            ProductMemory.open(products.context(), sizes.weightBytes(), all, sizes.rows())) {
      if (library.isPresent()) {
        try (var cublas = new Cublas(library.get(), products.context())) {
          run(setting, recorder, products, memory, Optional.of(cublas), ceiling);
        }
      } else {
        run(setting, recorder, products, memory, Optional.empty(), ceiling);
      }
    }
  }

  private Optional<CublasLt> library(PartRecorder recorder) {
    try {
      var library = CublasLt.find(environment);
      recorder.remark(
          "cuBLASLt %s, of the ways that its heuristic names the fastest."
              .formatted(library.version()));
      return Optional.of(library);
    } catch (NativeException e) {
      recorder.find(
          Finding.notMeasured(
              "products/cublaslt",
              "products: speed against cuBLASLt's",
              "absent: " + e.getMessage(),
              ""));
      return Optional.empty();
    }
  }

  private void run(
      GpuSetting setting,
      PartRecorder recorder,
      GpuProducts products,
      ProductMemory memory,
      Optional<Cublas> cublas,
      double ceiling) {
    try (var run = new ProductRun(products, cublas, memory, sizes.bounds())) {
      for (ModelShape shape : sizes.shapes()) {
        Map<LayerProduct, Map<Integer, Peer>> peers = new LinkedHashMap<>();
        for (int rows : sizes.rows()) {
          for (LayerProduct product : LayerProduct.of(shape)) {
            for (int round = 0; round < setting.rounds(); round++) {
              ProductRun.Measured measured = run.measure(product, rows);
              record(recorder, shape, product, rows, measured.seconds());
              measured
                  .peer()
                  .ifPresent(peer ->
                      peers.computeIfAbsent(product, _ -> new LinkedHashMap<>()).put(rows, peer));
            }
          }
          judge(recorder, shape, rows, ceiling);
        }
        if (!peers.isEmpty()) {
          tell(recorder, shape, "bits", "with the same bits as cuBLASLt's", peers, Peer::sameBits);
          tell(
              recorder,
              shape,
              "splits",
              "whose sums cuBLASLt cuts",
              peers,
              peer -> peer.splits() > 1);
        }
      }
    }
  }

  private static void record(
      PartRecorder recorder,
      ModelShape shape,
      LayerProduct product,
      int rows,
      Map<String, List<Double>> seconds) {
    seconds.forEach((subject, samples) ->
        samples.forEach(sample ->
            recorder.add(
                label(shape, product),
                quantity(rows),
                rows <= FEW_ROWS ? 2 : 0,
                subject,
                work(product, rows) / sample)));
  }

  private static String label(ModelShape shape, LayerProduct product) {
    return shape.name() + ", " + product.name();
  }

  private static String quantity(int rows) {
    return "%s, %s".formatted(rows(rows), rows <= FEW_ROWS ? "TB/s of weights" : "TFLOP/s");
  }

  private static String rows(int rows) {
    return rows == 1 ? "1 row" : "%,d rows".formatted(rows);
  }

  /// What a product has to do, in the unit of its quantity a second.
  private static double work(LayerProduct product, int rows) {
    return (rows <= FEW_ROWS ? product.weightBytes() : product.operations(rows)) / 1e12;
  }

  /// A layer's time is that of its products one after the other.
  ///
  /// @param ceiling bytes a second
  static void judge(PartRecorder recorder, ModelShape shape, int rows, double ceiling) {
    OptionalDouble weft = seconds(recorder, shape, rows, ProductRun.WEFT);
    OptionalDouble peer = seconds(recorder, shape, rows, ProductRun.CUBLASLT);
    if (weft.isEmpty()) {
      return;
    }
    String key = "products/%s/%d".formatted(shape.name(), rows);
    String what = "products of a layer, %s, %s: ".formatted(shape.name(), rows(rows));
    if (peer.isPresent()) {
      List<String> each = new ArrayList<>();
      for (LayerProduct product : LayerProduct.of(shape)) {
        double ratio =
            recorder.median(label(shape, product), quantity(rows), ProductRun.WEFT).orElseThrow()
                / recorder
                    .median(label(shape, product), quantity(rows), ProductRun.CUBLASLT)
                    .orElseThrow();
        each.add("%s %s".formatted(product.name(), Finding.text(ratio)));
      }
      recorder.find(
          Finding.reported(
              key,
              what + "speed against cuBLASLt's",
              "%s x (%s)"
                  .formatted(
                      Finding.text(peer.getAsDouble() / weft.getAsDouble()),
                      String.join(", ", each))));
    }
    if (rows <= FEW_ROWS) {
      double bytes = LayerProduct.of(shape).stream().mapToLong(LayerProduct::weightBytes).sum();
      String share = share(bytes / weft.getAsDouble(), ceiling);
      recorder.find(
          Finding.reported(
              key + "/read",
              what + "share of the read ceiling (%s TB/s)".formatted(Finding.text(ceiling / 1e12)),
              peer.isPresent()
                  ? "%s; cuBLASLt %s".formatted(share, share(bytes / peer.getAsDouble(), ceiling))
                  : share));
    }
  }

  private static String share(double rate, double ceiling) {
    return Finding.text(100 * rate / ceiling) + " %";
  }

  /// What all products of a layer take together, where all were measured.
  private static OptionalDouble seconds(
      PartRecorder recorder, ModelShape shape, int rows, String subject) {
    double seconds = 0;
    for (LayerProduct product : LayerProduct.of(shape)) {
      OptionalDouble rate = recorder.median(label(shape, product), quantity(rows), subject);
      if (rate.isEmpty()) {
        return rate;
      }
      seconds += work(product, rows) / rate.getAsDouble();
    }
    return OptionalDouble.of(seconds);
  }

  /// Of which rows something holds, product by product.
  private static void tell(
      PartRecorder recorder,
      ModelShape shape,
      String key,
      String what,
      Map<LayerProduct, Map<Integer, Peer>> peers,
      Predicate<Peer> holds) {
    String figure =
        peers.entrySet().stream()
            .map(each -> each.getKey().name() + ": " + counts(each.getValue(), holds))
            .collect(Collectors.joining("; "));
    recorder.find(
        Finding.reported(
            "products/%s/%s".formatted(shape.name(), key),
            "products of a layer, %s: counts of rows %s".formatted(shape.name(), what),
            figure));
  }

  static String counts(Map<Integer, Peer> peers, Predicate<Peer> holds) {
    List<String> counts =
        peers.entrySet().stream()
            .filter(each -> holds.test(each.getValue()))
            .map(each -> String.valueOf(each.getKey()))
            .toList();
    if (counts.size() == peers.size()) {
      return "all";
    }
    return counts.isEmpty() ? "none" : String.join(", ", counts);
  }
}
