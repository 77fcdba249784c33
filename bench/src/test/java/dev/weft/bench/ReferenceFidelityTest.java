package dev.weft.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.bench.DecoderRun.Bounds;
import dev.weft.bench.Fidelity.EmbeddingResult;
import dev.weft.bench.Fidelity.GreedyResult;
import dev.weft.bench.Fidelity.PerplexityResult;
import dev.weft.functions.Quantization;
import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.backend.ReferenceBackend;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.ModelFiles;
import dev.weft.runtime.model.ModelPackage;
import dev.weft.runtime.source.TestModels;
import dev.weft.runtime.tokenizer.Tokenizer;
import dev.weft.runtime.tokenizer.Tokenizers;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The oracle is right: `ReferenceBackend` gives what PyTorch gives on the real models.
class ReferenceFidelityTest {
  private static final int THREADS = Runtime.getRuntime().availableProcessors();

  @Test
  void smolLm2GivesTheSameTokensAsTransformers() {
    try (ModelPackage model = ModelFiles.open(TestModels.smolLm2());
        Backend backend = new ReferenceBackend(THREADS);
        DecoderRun run = new DecoderRun(backend, model, Quantization.NONE, new Bounds(256, 64))) {
      GreedyResult greedy = Fidelity.greedy(run, Golden.greedy());
      assertThat(greedy.equalPrompts()).isEqualTo(10);
      assertThat(greedy.positions()).isEqualTo(640);
      assertThat(greedy.misses()).isZero();
      assertThat(greedy.largestLogitDifference()).isLessThan(2e-3);

      PerplexityResult perplexity = Fidelity.perplexity(run, Golden.perplexity(), 1, 128);
      assertThat(perplexity.perplexity() / perplexity.referencePerplexity())
          .isBetween(0.9999, 1.0001);
    }
  }

  /// The file holds queries and keys in another order than the adapter's.
  @Test
  void adapterGivesTheSameTokensAsWeightsMergedInPyTorch(@TempDir Path directory) {
    assertThat(Golden.adapterGreedy().prompts().getFirst().tokens())
        .as("the adapter changes the answer")
        .isNotEqualTo(Golden.greedy().prompts().getFirst().tokens());
    try (Backend backend = new ReferenceBackend(THREADS)) {
      GreedyResult result =
          FidelityRun.smolLm2Adapter(TestModels.smolLm2(), directory, backend, Quantization.NONE);
      assertThat(result.equalPrompts()).isEqualTo(4);
      assertThat(result.positions()).isEqualTo(256);
      assertThat(result.misses()).isZero();
      assertThat(result.largestLogitDifference()).isLessThan(2e-3);
    }
  }

  @Test
  void miniLmGivesTheSameVectorsAsSentenceTransformers() {
    try (ModelPackage model = ModelFiles.open(TestModels.miniLm());
        Backend backend = new ReferenceBackend(THREADS);
        Tokenizer tokenizer = Tokenizers.open(model.tokenizer());
        EncoderExecutable encoder =
            backend.compile(
                (EncoderSpec) model.spec(),
                model.weights(),
                new CompileOptions(Quantization.NONE, 256, 0, 256, 1))) {
      EmbeddingResult result = Fidelity.embeddings(encoder, tokenizer, 256, Golden.embeddings());
      assertThat(result.sentences()).isEqualTo(100);
      assertThat(result.smallestCosine()).isGreaterThanOrEqualTo(0.9999);
    }
  }

  @Test
  void promptsBecomeTheSameTokens() {
    try (ModelPackage model = ModelFiles.open(TestModels.smolLm2());
        Tokenizer tokenizer = Tokenizers.open(model.tokenizer())) {
      for (Golden.Prompt prompt : Golden.greedy().prompts()) {
        assertThat(tokenizer.encode(prompt.text(), false, true))
            .as(prompt.name())
            .isEqualTo(prompt.prompt());
      }
    }
  }
}
