package dev.weft.bench;

import dev.weft.bench.Golden.Prompt;
import dev.weft.bench.Golden.Window;
import dev.weft.runtime.backend.EncoderExecutable;
import dev.weft.runtime.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Measures a backend against the golden values.
///
/// A greedy sequence that leaves the reference's path once is another text from there on, so each
/// prompt is looked at twice: generated step by step, and scored with the reference's own tokens
/// fed in, where every position counts. A position where the largest logit is another token's is a
/// *miss*; its margin is how far the reference's two largest logits are apart there. A miss at a
/// small margin is rounding, one at a large margin is a mistake.
public final class Fidelity {
  private Fidelity() {}

  /// What greedy decoding gave.
  ///
  /// @param equalPrompts prompts of which every generated token is the reference's
  /// @param positions positions scored
  /// @param misses of those
  /// @param largestMissMargin 0 when nothing missed
  /// @param largestLogitDifference over the reference's largest logits at all positions
  public record GreedyResult(
      int prompts,
      int equalPrompts,
      int positions,
      int misses,
      double largestMissMargin,
      double largestLogitDifference,
      double meanLogitDifference) {}

  /// What scoring text gave, beside the reference over the same tokens.
  public record PerplexityResult(
      int tokens, double perplexity, double referencePerplexity, double largestScoreDifference) {}

  /// What embedding gave.
  public record EmbeddingResult(int sentences, double smallestCosine, double largestDifference) {}

  /// Generates and scores every golden prompt.
  public static GreedyResult greedy(DecoderRun run, Golden.Greedy golden) {
    Tally tally = new Tally();
    int equal = 0;
    for (Prompt prompt : golden.prompts()) {
      if (Arrays.equals(run.greedy(prompt.prompt(), golden.steps()), prompt.tokens())) {
        equal++;
      }
      score(run, prompt, tally);
    }
    return new GreedyResult(
        golden.prompts().size(),
        equal,
        tally.positions,
        tally.misses,
        tally.missMargin,
        tally.difference,
        tally.differenceSum / tally.logits);
  }

  private static final class Tally {
    int positions;
    int misses;
    double missMargin;
    double difference;
    double differenceSum;
    int logits;
  }

  private static void score(DecoderRun run, Prompt prompt, Tally tally) {
    int promptLength = prompt.prompt().length;
    int[] fed = Arrays.copyOf(prompt.prompt(), promptLength + prompt.tokens().length - 1);
    System.arraycopy(prompt.tokens(), 0, fed, promptLength, prompt.tokens().length - 1);
    run.score(
        fed,
        (position, logits) -> {
          int step = position - (promptLength - 1);
          if (step < 0) {
            return;
          }
          tally.positions++;
          if (largest(logits) != prompt.tokens()[step]) {
            tally.misses++;
            tally.missMargin = Math.max(tally.missMargin, prompt.margin(step));
          }
          for (double[] top : prompt.top()[step]) {
            double difference = Math.abs(logits[(int) top[0]] - top[1]);
            tally.difference = Math.max(tally.difference, difference);
            tally.differenceSum += difference;
            tally.logits++;
          }
        });
  }

  /// Scores the first `tokensPerWindow` tokens of each of the first windows.
  public static PerplexityResult perplexity(
      DecoderRun run, Golden.Perplexity golden, int windows, int tokensPerWindow) {
    List<double[]> scores = new ArrayList<>(); // ours and the reference's
    for (Window window : golden.windows().subList(0, windows)) {
      int[] tokens = Arrays.copyOf(window.tokens(), tokensPerWindow);
      run.score(
          tokens,
          (position, logits) -> {
            if (position + 1 < tokens.length) {
              double score = logProbability(logits, tokens[position + 1]);
              scores.add(new double[] {score, window.scores()[position]});
            }
          });
    }
    double ours = scores.stream().mapToDouble(pair -> pair[0]).average().orElseThrow();
    double theirs = scores.stream().mapToDouble(pair -> pair[1]).average().orElseThrow();
    double difference =
        scores.stream().mapToDouble(pair -> Math.abs(pair[0] - pair[1])).max().orElseThrow();
    return new PerplexityResult(scores.size(), Math.exp(-ours), Math.exp(-theirs), difference);
  }

  /// Embeds every golden sentence from its text.
  public static EmbeddingResult embeddings(
      EncoderExecutable encoder, Tokenizer tokenizer, int contextLength, Golden.Embeddings golden) {
    double cosine = 1;
    double difference = 0;
    for (Golden.Sentence sentence : golden.sentences()) {
      int[] tokens = truncate(tokenizer.encode(sentence.text(), true, false), contextLength);
      if (!Arrays.equals(tokens, sentence.tokens())) {
        throw new IllegalStateException("other tokens than the reference's: " + sentence.text());
      }
      float[] vector = encoder.forward(List.of(tokens)).getFirst();
      cosine = Math.min(cosine, cosine(vector, sentence.values()));
      for (int i = 0; i < vector.length; i++) {
        difference = Math.max(difference, Math.abs(vector[i] - sentence.values()[i]));
      }
    }
    return new EmbeddingResult(golden.sentences().size(), cosine, difference);
  }

  /// As sentence-transformers cuts: what is over goes, the last token stays.
  static int[] truncate(int[] tokens, int length) {
    if (tokens.length <= length) {
      return tokens;
    }
    int[] cut = Arrays.copyOf(tokens, length);
    cut[length - 1] = tokens[tokens.length - 1];
    return cut;
  }

  private static int largest(float[] logits) {
    int largest = 0;
    for (int i = 1; i < logits.length; i++) {
      largest = logits[i] > logits[largest] ? i : largest;
    }
    return largest;
  }

  private static double logProbability(float[] logits, int token) {
    double most = logits[largest(logits)];
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit - most);
    }
    return logits[token] - most - Math.log(sum);
  }

  private static double cosine(float[] one, float[] other) {
    double product = 0;
    double oneSquared = 0;
    double otherSquared = 0;
    for (int i = 0; i < one.length; i++) {
      product += (double) one[i] * other[i];
      oneSquared += (double) one[i] * one[i];
      otherSquared += (double) other[i] * other[i];
    }
    return product / Math.sqrt(oneSquared * otherSquared);
  }
}
