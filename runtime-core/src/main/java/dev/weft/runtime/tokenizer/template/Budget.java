package dev.weft.runtime.tokenizer.template;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import java.util.function.LongSupplier;

/// Counts what one rendering uses and ends it at the limit.
final class Budget {
  private static final long STEPS_PER_LOOK_AT_THE_CLOCK = 1024;

  private final TemplateLimits limits;
  private final LongSupplier nanoTime;
  private final long startNanos;
  private long steps;
  private long workChars;
  private int depth;

  Budget(TemplateLimits limits, LongSupplier nanoTime) {
    this.limits = limits;
    this.nanoTime = nanoTime;
    this.startNanos = nanoTime.getAsLong();
  }

  void step() {
    steps(1);
  }

  void steps(long count) {
    long before = steps / STEPS_PER_LOOK_AT_THE_CLOCK;
    steps += count;
    if (steps > limits.steps()) {
      throw exceeded("more than " + limits.steps() + " steps");
    }
    if (steps / STEPS_PER_LOOK_AT_THE_CLOCK != before) {
      checkTime();
    }
  }

  /// Letters about to be made or searched.
  void work(long chars) {
    workChars += chars;
    if (workChars > limits.workChars()) {
      throw exceeded("more than " + limits.workChars() + " letters of text on the way");
    }
    steps(1 + chars / STEPS_PER_LOOK_AT_THE_CLOCK);
  }

  /// A search for `needle` letters in `hay` letters, which may compare each with each.
  void search(int hay, int needle) {
    work(hay + (long) hay * needle / 64);
  }

  void output(long chars) {
    if (chars > limits.outputChars()) {
      throw exceeded("a prompt of more than " + limits.outputChars() + " letters");
    }
  }

  void enter() {
    step();
    depth++;
    if (depth > limits.depth()) {
      throw exceeded("more than " + limits.depth() + " levels inside one another");
    }
  }

  void leave() {
    depth--;
  }

  private void checkTime() {
    if (nanoTime.getAsLong() - startNanos > limits.time().toNanos()) {
      throw exceeded("more than " + limits.time().toMillis() + " ms");
    }
  }

  private static ChatTemplateException exceeded(String what) {
    return new ChatTemplateException("The chat template takes " + what + ".");
  }
}
