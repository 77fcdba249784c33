package dev.weft.autoscaler.admission;

import dev.weft.autoscaler.profile.StepTimes;
import java.util.ArrayList;
import java.util.List;

/// An instance whose steps take 10 for each token of a prompt, and 10 for each sequence.
public class TestInstance implements InstanceLoad {
  public final List<Prompt> prompts = new ArrayList<>();
  private int running;
  private long needed;
  private long planned;
  private long weights;
  private long readyAt;
  private long tokensDueAt = Long.MAX_VALUE;

  public TestInstance holding(long tokens) {
    planned = tokens;
    return this;
  }

  public TestInstance needing(long tokens) {
    needed = tokens;
    return this;
  }

  public TestInstance running(int sequences) {
    running = sequences;
    return this;
  }

  public TestInstance weighing(long bytes) {
    weights = bytes;
    return this;
  }

  public TestInstance readyAt(long time) {
    readyAt = time;
    return this;
  }

  /// When the next token of those that run is due; at once unless it is told.
  public TestInstance tokensDueAt(long time) {
    tokensDueAt = time;
    return this;
  }

  public TestInstance prompt(long deadline, int tokens) {
    prompts.add(new TestPrompt(deadline, tokens));
    return this;
  }

  @Override
  public StepTimes times() {
    return new StepTimes() {
      @Override
      public long prefillNanos(long tokens) {
        return 10 * tokens;
      }

      @Override
      public long decodeNanos(int batch, long contextTokens) {
        return 10L * batch;
      }
    };
  }

  @Override
  public long tokenNanos() {
    return 100;
  }

  @Override
  public int batch() {
    return running;
  }

  @Override
  public long contextTokens() {
    return needed;
  }

  @Override
  public long neededTokens() {
    return needed;
  }

  @Override
  public long plannedTokens() {
    return planned;
  }

  @Override
  public long bytesPerToken() {
    return 1;
  }

  @Override
  public long unplannedBytes() {
    return weights;
  }

  @Override
  public List<Prompt> prompts() {
    return prompts;
  }

  @Override
  public long tokensDueAt() {
    return tokensDueAt == Long.MAX_VALUE ? InstanceLoad.super.tokensDueAt() : tokensDueAt;
  }

  @Override
  public long readyAt() {
    return readyAt;
  }

  private record TestPrompt(long deadline, int tokens) implements Prompt {}
}
