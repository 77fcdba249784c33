package dev.weft.runtime.engine;

import dev.weft.runtime.sampling.SampleRequest.TokenHistory;

/// Guesses how a text goes on by what followed the last place in it that reads the same (prompt
/// lookup decoding, Saxena 2023): answers often repeat their prompt. A guess costs no model; a step
/// that checks it costs a few rows, so the guess grows while it proves right and shrinks when it
/// does not. Used by one thread.
final class PromptLookup {
  /// Tokens that must be the same for a place to count: one alone says little.
  private static final int LEAST_MATCH = 2;

  /// Tokens that are compared: of two places that both agree this far, the later one counts.
  private static final int MOST_MATCH = 8;

  private static final int[] NONE = {};

  private final int mostTokens;
  private int length;

  /// @param mostTokens of a guess; 0 for none ever
  PromptLookup(int mostTokens) {
    this.mostTokens = mostTokens;
    length = mostTokens;
  }

  /// A guess of the next tokens; empty when the text repeats nothing.
  int[] draft(TokenHistory text) {
    if (mostTokens == 0) {
      return NONE;
    }
    int best = 0;
    int matched = LEAST_MATCH - 1;
    for (int end = text.length() - 1; end >= LEAST_MATCH && matched < MOST_MATCH; end--) {
      int same = sameBefore(text, end);
      if (same > matched) {
        matched = same;
        best = end;
      }
    }
    if (best == 0) {
      return NONE;
    }
    var draft = new int[Math.min(length, text.length() - best)];
    for (int i = 0; i < draft.length; i++) {
      draft[i] = text.token(best + i);
    }
    return draft;
  }

  /// How many tokens before `end` are those at the end of the text.
  private static int sameBefore(TokenHistory text, int end) {
    int same = 0;
    while (same < MOST_MATCH
        && same < end
        && text.token(end - 1 - same) == text.token(text.length() - 1 - same)) {
      same++;
    }
    return same;
  }

  /// Says how much of the last draft was right.
  void checked(int drafted, int accepted) {
    length =
        accepted == drafted ? Math.min(mostTokens, 2 * length) : Math.min(mostTokens, accepted + 1);
  }
}
