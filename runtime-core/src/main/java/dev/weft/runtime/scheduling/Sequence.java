package dev.weft.runtime.scheduling;

import dev.weft.runtime.memory.BlockTable;
import dev.weft.runtime.memory.PrefixCache;
import dev.weft.runtime.sampling.SampleRequest.TokenHistory;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The tokens of one request, how many of them the KV cache holds, and in which blocks. Used by one
/// thread.
public final class Sequence implements TokenHistory {
  private static final int[] NO_DRAFT = {};

  private final int promptLength;
  private final int maxLength;
  private final boolean scored;
  private final long cacheKey;
  private final BlockTable blocks = new BlockTable();
  private int[] tokens;
  private int length;
  private int computed;
  private int everComputed;
  private int reused;
  private int plannedBlocks;
  private boolean awaitsSaved;
  private int[] draft = NO_DRAFT;
  private PrefixCache.@Nullable Path path;
  private PrefixCache.@Nullable Claim claim;

  /// @param maxLength the most tokens that it can reach, prompt included
  /// @param scored whether the logits of its prompt are wanted, so that its chunks must be short
  /// @param cacheKey what its keys and values depend on beside its tokens, as [PrefixCache] wants
  ///   it
  public Sequence(int[] promptTokens, int maxLength, boolean scored, long cacheKey) {
    if (promptTokens.length == 0 || maxLength <= promptTokens.length) {
      throw new IllegalArgumentException(
          "a prompt of %d tokens cannot reach %d".formatted(promptTokens.length, maxLength));
    }
    tokens = promptTokens.clone();
    length = tokens.length;
    promptLength = tokens.length;
    this.maxLength = maxLength;
    this.scored = scored;
    this.cacheKey = cacheKey;
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

  public long cacheKey() {
    return cacheKey;
  }

  /// Prompt tokens that it never had to compute, because the prefix cache knew them.
  public int reusedTokens() {
    return reused;
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
    draft = NO_DRAFT;
  }

  /// A guess of the tokens that follow; a step may check it.
  public int[] draft() {
    return draft;
  }

  /// Sets the guess for the next step.
  public void draft(int[] tokens) {
    draft = tokens;
  }

  /// Whether it is past its prompt.
  public boolean decoding() {
    return computed >= promptLength;
  }

  /// Says that a step has computed the next `count` tokens.
  public void advance(int count) {
    if (computed + count > length) {
      throw new IllegalStateException(
          "%d + %d of %d tokens computed".formatted(computed, count, length));
    }
    computed += count;
    everComputed = Math.max(everComputed, computed);
  }

  /// Says that the cache has given the next `count` tokens. Returns how many of these are tokens of
  /// the prompt that it never computed.
  int reuse(int count) {
    int before = everComputed;
    advance(count);
    int saved = Math.max(0, Math.min(computed, promptLength) - before);
    reused += saved;
    return saved;
  }

  PrefixCache.Path path() {
    if (path == null) {
      throw new IllegalStateException("the sequence is not running");
    }
    return path;
  }

  /// Whether its next tokens are on their way from a store: it runs when they are here.
  boolean awaitsSaved() {
    return awaitsSaved;
  }

  void awaitSaved(boolean awaits) {
    awaitsSaved = awaits;
  }

  void claim(PrefixCache.Claim made) {
    claim = made;
  }

  /// What it will come back for; empty when it runs or never ran.
  Optional<PrefixCache.Claim> claim() {
    return Optional.ofNullable(claim);
  }

  Optional<PrefixCache.Claim> endClaim() {
    var ended = claim();
    claim = null;
    return ended;
  }

  void enter(PrefixCache.Path begin) {
    path = begin;
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
    draft = NO_DRAFT;
    plannedBlocks = 0;
    awaitsSaved = false;
    path = null;
  }
}
