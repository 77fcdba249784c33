package dev.weft.bench.cpu;

import dev.weft.bench.DecoderRun;
import dev.weft.bench.DecoderRun.Bounds;
import dev.weft.bench.Fidelity;
import dev.weft.bench.Fidelity.PerplexityResult;
import dev.weft.bench.FidelityRun.TextAmount;
import dev.weft.bench.Golden;
import dev.weft.bench.QuickstartModels;
import dev.weft.bench.models.BenchModels;
import dev.weft.bench.models.GgufFormat;
import dev.weft.bench.models.ModelShape;
import dev.weft.bench.models.WeightSource;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.cpu.CpuBackend;
import dev.weft.runtime.cpu.CpuOptions;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/// What formats cost in perplexity, on SmolLM2's real weights over WikiText-2, against float32 of
/// the same weights. The float32 run is Weft's own on a float32 file; its first row shows that it
/// gives what PyTorch gives.
final class PerplexityPart implements Part {
  private static final String QUANTITY = "perplexity of WikiText-2";
  private static final String SUBJECT = "weft";
  private static final ModelShape SHAPE = ModelShape.SMOLLM2_135M;
  private static final TextAmount TEXT = TextAmount.ALL;
  private static final int GROUP = 64;

  @Override
  public String name() {
    return "perplexity";
  }

  @Override
  public String title() {
    return "Perplexity of formats";
  }

  @Override
  public void run(Setting setting, PartRecorder recorder) {
    BenchModels models = setting.models();
    if (models.smolLm2().isEmpty()) {
      recorder.find(
          Finding.notMeasured(
              "8", "8. perplexity of formats", "SmolLM2's real weights are not here", ""));
      return;
    }
    Path original = models.smolLm2().get();
    recorder.remark(
        "%d tokens; SmolLM2-135M-Instruct, all formats made of its file's dequantised weights."
            .formatted(TEXT.windows() * TEXT.tokensPerWindow()));
    CpuOptions options =
        CpuOptions.of(QuickstartModels.weftHome(), setting.threads(), System.getenv());
    try (Backend backend = new CpuBackend(options)) {
      Meter meter = new Meter(backend, recorder);
      Path bf16 = models.safetensors(SHAPE, DType.BF16);
      double exact = golden();
      recorder.add("float32, PyTorch", QUANTITY, 3, SUBJECT, exact);
      double own = meter.read("float32", models.gguf(SHAPE, GgufFormat.F32), Quantization.NONE);
      within(recorder, "8/float32", "float32 on the CPU", own, exact, 0.05);
      double sixteen = meter.read("bf16", bf16, Quantization.NONE);
      within(recorder, "8/bf16", "bf16", sixteen, exact, 0.1);
      double eight = meter.read("w8a8", bf16, Quantization.W8A8);
      within(recorder, "8/w8a8", "w8a8", eight, exact, 0.5);
      double real = meter.read("Q4_1, the model's own file", original, Quantization.NONE);
      atMostOver(recorder, "8/q4_1", "Q4_1, the model's own file", real, exact);
      for (GgufFormat type : List.of(GgufFormat.Q8_0, GgufFormat.Q4_0, GgufFormat.Q4_K_M)) {
        Path file = models.gguf(SHAPE, type);
        double base =
            meter.read("float32 of " + type, models.dequantized(SHAPE, file), Quantization.NONE);
        double quantized = meter.read(type.name(), file, Quantization.NONE);
        atMostOver(
            recorder, "8/" + type.name().toLowerCase(Locale.ROOT), type.name(), quantized, base);
      }
      liquid(models, backend, recorder, meter, bf16, exact);
    }
  }

  private static void liquid(
      BenchModels models,
      Backend backend,
      PartRecorder recorder,
      Meter meter,
      Path bf16,
      double exact) {
    Path rounded =
        models.gguf(
            SHAPE,
            GgufFormat.F32,
            "smollm2-135m.rounded-to-nearest-64.f32",
            source -> WeightSource.roundedToNearest(source, GROUP));
    double nearest =
        meter.read("round to nearest, groups of 64, float32 else", rounded, Quantization.NONE);
    String what = "8. LiquidQuant (w4a8) against round-to-nearest in groups of 64";
    if (!backend.quantizations().contains(Quantization.W4A8)) {
      recorder.find(
          Finding.notMeasured("8/w4a8", what, "this runtime has no w4a8", "lower perplexity"));
      return;
    }
    double liquid = meter.read("w4a8 (LiquidQuant)", bf16, Quantization.W4A8);
    recorder.find(
        new Finding(
            "8/w4a8",
            what,
            String.format(
                Locale.ROOT, "%.3f against %.3f; float32 is %.3f", liquid, nearest, exact),
            "lower perplexity",
            Finding.verdict(liquid < nearest)));
  }

  /// Reads perplexities and records them.
  private record Meter(Backend backend, PartRecorder recorder) {
    double read(String label, Path path, Quantization quantization) {
      try (ModelPackage model = ModelFiles.open(path);
          DecoderRun run = new DecoderRun(backend, model, quantization, new Bounds(512, 64))) {
        PerplexityResult result =
            Fidelity.perplexity(run, Golden.perplexity(), TEXT.windows(), TEXT.tokensPerWindow());
        recorder.add(label, QUANTITY, 3, SUBJECT, result.perplexity());
        return result.perplexity();
      }
    }
  }

  /// PyTorch's, over the same tokens.
  private static double golden() {
    double sum = 0;
    int count = 0;
    for (Golden.Window window : Golden.perplexity().windows().subList(0, TEXT.windows())) {
      for (int i = 0; i + 1 < TEXT.tokensPerWindow(); i++) {
        sum += window.scores()[i];
        count++;
      }
    }
    return Math.exp(-sum / count);
  }

  private static void within(
      PartRecorder recorder, String key, String what, double value, double base, double percent) {
    double difference = 100 * (value / base - 1);
    recorder.find(
        new Finding(
            key,
            "8. perplexity, %s, against float32 of the same weights".formatted(what),
            String.format(Locale.ROOT, "%+.3f %%", difference),
            "within %s %%".formatted(percent),
            Finding.verdict(Math.abs(difference) <= percent)));
  }

  private static void atMostOver(
      PartRecorder recorder, String key, String what, double value, double base) {
    double difference = 100 * (value / base - 1);
    recorder.find(
        new Finding(
            key,
            "8. perplexity, %s, against float32 of its dequantised weights".formatted(what),
            String.format(Locale.ROOT, "%+.3f %%", difference),
            "at most 1 % over",
            Finding.verdict(difference <= 1)));
  }
}
