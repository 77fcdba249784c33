package dev.weft.runtime.scheduling;

import dev.weft.runtime.memory.BlockTable;
import dev.weft.runtime.sampling.SampleRequest.TokenHistory;
import java.util.Arrays;

/// The tokens of one request, how many of them the KV cache holds, and in which blocks. Used by one
/// thread.
public final class Sequence implements TokenHistory {
  private final int promptLength;
  private final int maxLength;
  private final boolean scored;
  private final BlockTable blocks = new BlockTable();
  private int[] tokens;
  private int length;
  private int computed;
  private int plannedBlocks;

  /// @param maxLength the most tokens that it can reach, prompt included
  /// @param scored whether the logits of its prompt are wanted, so that its chunks must be short
  public Sequence(int[] promptTokens, int maxLength, boolean scored) {
    if (promptTokens.length == 0 || maxLength <= promptTokens.length) {
      throw new IllegalArgumentException(
          "a prompt of %d tokens cannot reach %d".formatted(promptTokens.length, maxLength));
    }
    tokens = promptTokens.clone();
    length = tokens.length;
    promptLength = tokens.length;
    this.maxLength = maxLength;
    this.scored = scored;
  }

  @Override
  public int promptLength() {
    return promptLength;
  }

  @Override
  public int length() {
    return length;
  }

  @Override
  public int token(int index) {
    if (index < 0 || index >= length) {
      throw new IndexOutOfBoundsException("token %d of %d".formatted(index, length));
    }
    return tokens[index];
  }

  public int maxLength() {
    return maxLength;
  }

  public boolean scored() {
    return scored;
  }

  /// Tokens whose keys and values the cache holds.
  public int computed() {
    return computed;
  }

  public BlockTable blocks() {
    return blocks;
  }

  /// Tokens `from` up to `from + count`, copied.
  public int[] tokens(int from, int count) {
    return Arrays.copyOfRange(tokens, from, from + count);
  }

  /// Adds a generated token.
  public void append(int token) {
    if (length == maxLength) {
      throw new IllegalStateException("the sequence has its %d tokens".formatted(maxLength));
    }
    if (length == tokens.length) {
      tokens = Arrays.copyOf(tokens, Math.min(maxLength, Math.max(16, 2 * length)));
    }
    tokens[length++] = token;
  }

  /// Says that a step has computed the next `count` tokens.
  public void advance(int count) {
    if (computed + count > length) {
      throw new IllegalStateException(
          "%d + %d of %d tokens computed".formatted(computed, count, length));
    }
    computed += count;
  }

  /// Tokens that the cache does not hold yet.
  int pending() {
    return length - computed;
  }

  int plannedBlocks() {
    return plannedBlocks;
  }

  void plan(int blockCount) {
    plannedBlocks = blockCount;
  }

  void forget() {
    computed = 0;
    plannedBlocks = 0;
  }
}
