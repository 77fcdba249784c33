package dev.weft.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.bench.DecoderRun.Bounds;
import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.cpu.CpuBackend;
import dev.weft.runtime.cpu.CpuOptions;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// Prefill and decode without a server: 512 tokens at once, then 128 one by one from an empty
/// context, as `llama-bench` does.
final class EngineSpeed {
  static final int PREFILL_TOKENS = 512;
  static final int DECODE_TOKENS = 128;
  private static final ObjectMapper JSON = new ObjectMapper();

  private EngineSpeed() {}

  /// Tokens per second.
  record Speed(double prefill, double decode) {}

  /// Weft's CPU backend; compiled once, measured often.
  static final class Weft implements AutoCloseable {
    private final Backend backend;
    private final ModelPackage model;
    private final DecoderRun run;

    Weft(Path file, int threads) {
      backend =
          new CpuBackend(CpuOptions.of(QuickstartModels.weftHome(), threads, System.getenv()));
      model = ModelFiles.open(file);
      run =
          new DecoderRun(
              backend, model, Quantization.AUTO, new Bounds(PREFILL_TOKENS + 1, PREFILL_TOKENS));
    }

    String name() {
      return backend.name();
    }

    Speed measure() {
      int[] prompt = Golden.perplexity().windows().getFirst().tokens();
      long start = System.nanoTime();
      run.prefill(prompt);
      long prefilled = System.nanoTime();
      run.greedy(new int[] {prompt[0]}, DECODE_TOKENS);
      long decoded = System.nanoTime();
      return new Speed(
          prompt.length * 1e9 / (prefilled - start), DECODE_TOKENS * 1e9 / (decoded - prefilled));
    }

    @Override
    public void close() {
      run.close();
      model.close();
      backend.close();
    }
  }

  /// One `llama-bench`, which warms up first.
  static Speed llama(Path binaries, Path file, int threads)
      throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                List.of(
                    binaries.resolve("llama-bench").toString(),
                    "--model",
                    file.toString(),
                    "--threads",
                    String.valueOf(threads),
                    "--repetitions",
                    "1",
                    "--n-prompt",
                    String.valueOf(PREFILL_TOKENS),
                    "--n-gen",
                    String.valueOf(DECODE_TOKENS),
                    "--output",
                    "json"))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    JsonNode results = JSON.readTree(process.getInputStream());
    if (process.waitFor() != 0) {
      throw new IllegalStateException("llama-bench ended with " + process.exitValue());
    }
    double prefill = 0;
    double decode = 0;
    for (JsonNode result : results) {
      if (result.path("n_prompt").asInt() > 0) {
        prefill = result.path("avg_ts").asDouble();
      } else {
        decode = result.path("avg_ts").asDouble();
      }
    }
    return new Speed(prefill, decode);
  }
}
