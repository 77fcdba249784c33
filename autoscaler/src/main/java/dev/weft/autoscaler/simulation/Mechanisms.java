package dev.weft.autoscaler.simulation;

import java.util.EnumSet;
import java.util.Set;

/// Which of LLM-Mesh's mechanisms a simulation uses; all but for comparisons.
public record Mechanisms(Set<Mechanism> used) {
  public static final Mechanisms ALL = new Mechanisms(EnumSet.allOf(Mechanism.class));

  public Mechanisms {
    used = Set.copyOf(used);
  }

  public boolean use(Mechanism mechanism) {
    return used.contains(mechanism);
  }

  public Mechanisms without(Mechanism mechanism) {
    EnumSet<Mechanism> left = EnumSet.noneOf(Mechanism.class);
    left.addAll(used);
    left.remove(mechanism);
    return new Mechanisms(left);
  }

  /// What can be switched off.
  public enum Mechanism {
    /// Several instances on a device; else one.
    SHARING,
    /// The step due first runs first; else instances take turns, and prompts go before tokens.
    HEADROOM,
    /// Decode share and prompts are checked at admission; else memory alone.
    VALIDATION,
    /// Batches and devices are filled one after the other; else requests are spread.
    PACKING,
    /// Whoever got less goes first, and has a place made where it is owed one; else it waits.
    FAIRNESS,
    /// Smaller neighbours make room.
    PREEMPTION,
    /// Processors take what they can before graphics cards; else after them.
    CPU_FIRST,
    /// KV memory grows and shrinks with a watermark; else to exactly what is needed.
    WATERMARK,
    /// KV memory is planned for the 512 tokens that come next, or fewer where a forecast of lengths
    /// says that answers end before; else for 512.
    FORECAST,
    /// Idle instances stay for a minute unless somebody needs the room; else for a second.
    KEEP_ALIVE,
    /// Of idle instances those least likely to be called soon go first, those likely to be stay
    /// past a minute, and where there is room one is made before it is likely called; else the
    /// longest idle go first, and instances are made when they are called.
    FORESIGHT,
    /// A new instance is made where its weights are cached; else all devices are as near.
    CACHES,
    /// Profiles follow the steps that are seen; else they stay as measured.
    REFINEMENT
  }
}
