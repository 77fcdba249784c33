package dev.weft.runtime.server;

import dev.weft.functions.RevisionId;
import dev.weft.runtime.memory.Balloon;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;

/// Counts how memory moves between instances and what their steps compute in, and how long steps
/// wait for it: by function, and by kind. Activations are no function's.
final class MemoryMetrics implements Balloon.Observer {
  private final MeterRegistry registry;

  MemoryMetrics(MeterRegistry registry) {
    this.registry = registry;
  }

  @Override
  public void onInflated(String owner, int chunks, int taken, Duration stall) {
    count("weft.memory.inflated.chunks", "Chunks of memory that came", owner, chunks);
    count("weft.memory.taken.chunks", "Of these, what others held", owner, taken);
    onAwaited(owner, stall);
  }

  @Override
  public void onAwaited(String owner, Duration stall) {
    Timer.builder("weft.memory.stall")
        .description("Time that steps waited for memory")
        .tags(tags(owner))
        .register(registry)
        .record(stall);
  }

  @Override
  public void onDeflated(String owner, int chunks) {
    count("weft.memory.deflated.chunks", "Chunks of memory given up", owner, chunks);
  }

  @Override
  public void onMoved(String owner, int blocks) {
    count("weft.memory.moved.blocks", "KV blocks moved to give up chunks", owner, blocks);
  }

  @Override
  public void onRefused(String owner, int chunks) {
    count("weft.memory.refused.chunks", "Chunks asked for and not given", owner, chunks);
  }

  private void count(String name, String description, String owner, int amount) {
    Counter.builder(name)
        .description(description)
        .tags(tags(owner))
        .register(registry)
        .increment(amount);
  }

  private static Tags tags(String owner) {
    return owner.equals(Balloon.ACTIVATIONS)
        ? Tags.of("function", "", "kind", "activations")
        : Tags.of("function", RevisionId.parse(owner).function().value(), "kind", "kv");
  }
}
