package dev.weft.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import java.util.List;
import java.util.Objects;

/// Golden values that `golden/make` made with PyTorch in float32 (see `golden/README.md`).
public final class Golden {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Golden() {}

  /// SmolLM2's greedy tokens.
  public record Greedy(int steps, List<Prompt> prompts) {}

  /// One prompt.
  ///
  /// @param prompt its tokens
  /// @param tokens the greedy tokens after it
  /// @param top `[step][rank]`: token and logit of the largest logits before each of `tokens`
  @SuppressWarnings("ArrayRecordComponent")
  public record Prompt(String name, String text, int[] prompt, int[] tokens, double[][][] top) {
    /// How far the greedy token's logit is above the next.
    public double margin(int step) {
      return top[step][0][1] - top[step][1][1];
    }
  }

  /// Windows of WikiText-2.
  public record Perplexity(double perplexity, List<Window> windows) {}

  /// One window.
  ///
  /// @param scores log-probability of each token but the first
  @SuppressWarnings("ArrayRecordComponent")
  public record Window(int[] tokens, double perplexity, double[] scores) {}

  /// MiniLM's vectors.
  public record Embeddings(int dimensions, List<Sentence> sentences) {}

  /// One text.
  ///
  /// @param tokens with `[CLS]` and `[SEP]`, cut to the model's length
  /// @param vector little-endian float32 as base64
  @SuppressWarnings("ArrayRecordComponent")
  public record Sentence(String text, int[] tokens, String vector) {
    public float[] values() {
      ByteBuffer bytes =
          ByteBuffer.wrap(Base64.getDecoder().decode(vector)).order(ByteOrder.LITTLE_ENDIAN);
      float[] values = new float[bytes.remaining() / Float.BYTES];
      bytes.asFloatBuffer().get(values);
      return values;
    }
  }

  public static Greedy greedy() {
    return read("smollm2-greedy.json", Greedy.class);
  }

  /// SmolLM2's greedy tokens with [GoldenAdapter] merged into its weights.
  public static Greedy adapterGreedy() {
    return read("smollm2-adapter-greedy.json", Greedy.class);
  }

  public static Perplexity perplexity() {
    return read("smollm2-perplexity.json", Perplexity.class);
  }

  public static Embeddings embeddings() {
    return read("minilm-embeddings.json", Embeddings.class);
  }

  private static <T> T read(String name, Class<T> type) {
    try (InputStream resource =
        Objects.requireNonNull(Golden.class.getResourceAsStream("/golden/" + name), name)) {
      return JSON.readValue(resource, type);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
