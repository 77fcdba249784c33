package dev.weft.bench.load;

import dev.weft.bench.Golden;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/// Prompts of token ids, so that every server does the same work: English text behind a first token
/// that no other prompt of the run begins with, so that no prefix cache helps.
public final class Prompts {
  private static final int FIRST_TOKEN = 1000;
  private static final int FIRST_TOKENS = 40_000;

  private final List<Golden.Window> windows = Golden.perplexity().windows();
  private final AtomicInteger next = new AtomicInteger();

  public int[] next(int length) {
    int number = next.getAndIncrement();
    int[] text = windows.get(number % windows.size()).tokens();
    int[] prompt = new int[length];
    prompt[0] = FIRST_TOKEN + number % FIRST_TOKENS;
    for (int i = 1; i < length; i++) {
      prompt[i] = text[(number + i) % text.length];
    }
    return prompt;
  }
}
