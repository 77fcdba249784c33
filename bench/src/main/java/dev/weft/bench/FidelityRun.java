package dev.weft.bench;

import dev.weft.bench.DecoderRun.Bounds;
import dev.weft.bench.Fidelity.EmbeddingResult;
import dev.weft.bench.Fidelity.GreedyResult;
import dev.weft.bench.Fidelity.PerplexityResult;
import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.model.AdapterFiles;
import dev.weft.runtime.model.AdapterPackage;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.tokenizer.Tokenizer;
import dev.weft.runtime.tokenizer.Tokenizers;
import java.nio.file.Path;

/// Runs the golden comparisons on a backend.
public final class FidelityRun {
  private static final int BATCH_ROWS = 64;
  private static final int ENCODER_TOKENS = 256;

  private FidelityRun() {}

  /// How much of the text to score: all of it takes plain Java half an hour.
  public record TextAmount(int windows, int tokensPerWindow) {
    public static final TextAmount ALL = new TextAmount(4, 512);
    public static final TextAmount LITTLE = new TextAmount(1, 128);
  }

  /// What a decoder gave.
  public record DecoderResult(GreedyResult greedy, PerplexityResult perplexity) {}

  public static DecoderResult smolLm2(
      Path file, Backend backend, Quantization quantization, TextAmount text) {
    Bounds bounds = new Bounds(512, BATCH_ROWS);
    try (ModelPackage model = ModelFiles.open(file);
        DecoderRun run = new DecoderRun(backend, model, quantization, bounds)) {
      GreedyResult greedy = Fidelity.greedy(run, Golden.greedy());
      PerplexityResult perplexity =
          Fidelity.perplexity(run, Golden.perplexity(), text.windows(), text.tokensPerWindow());
      return new DecoderResult(greedy, perplexity);
    }
  }

  /// SmolLM2 with [GoldenAdapter] beside its weights, against the adapter merged into them.
  ///
  /// @param directory where the adapter's files are written
  public static GreedyResult smolLm2Adapter(
      Path file, Path directory, Backend backend, Quantization quantization) {
    Bounds bounds = new Bounds(512, BATCH_ROWS);
    try (ModelPackage model = ModelFiles.open(file)) {
      DecoderSpec spec = (DecoderSpec) model.spec();
      GoldenAdapter.write(directory, spec);
      try (AdapterPackage adapter = AdapterFiles.open(directory, spec);
          DecoderRun run = new DecoderRun(backend, model, quantization, bounds)) {
        run.adapt(adapter.weights());
        return Fidelity.greedy(run, Golden.adapterGreedy());
      }
    }
  }

  public static EmbeddingResult miniLm(Path directory, Backend backend, Quantization quantization) {
    CompileOptions options = new CompileOptions(quantization, ENCODER_TOKENS, 0, ENCODER_TOKENS, 1);
    try (ModelPackage model = ModelFiles.open(directory);
        Tokenizer tokenizer = Tokenizers.open(model.tokenizer());
        EncoderExecutable encoder =
            backend.compile((EncoderSpec) model.spec(), model.weights(), options)) {
      return Fidelity.embeddings(encoder, tokenizer, ENCODER_TOKENS, Golden.embeddings());
    }
  }
}
