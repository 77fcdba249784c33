package dev.weft.runtime.engine;

import dev.weft.autoscaler.profile.StepTimes;
import java.util.Collection;

/// Until when its device may leave a decoder alone and yet be in time with all of its requests, by
/// how long its steps are known to take: prompts are computed one after the other, as they came,
/// and a step gives a token to all whose prompts have been. Used by the device's thread.
final class Headroom {
  /// Nobody waits for a token, or nothing is known of how long steps take.
  static final long NONE = Long.MAX_VALUE;

  private final Deadlines deadlines;
  private final StepProfile profile;
  private int batch;
  private long context;
  private long tokensDue;
  private long promptNanos;
  private long promptsStart;

  Headroom(Deadlines deadlines, StepProfile profile) {
    this.deadlines = deadlines;
    this.profile = profile;
    clear();
  }

  private void clear() {
    batch = 0;
    context = 0;
    tokensDue = NONE;
    promptNanos = 0;
    promptsStart = NONE;
  }

  /// Looks at all generations anew.
  void look(Collection<Generation> generations) {
    clear();
    generations.forEach(this::add);
  }

  /// Looks at one that has come after those looked at.
  void add(Generation generation) {
    StepTimes times = profile.times().orElse(null);
    if (times == null) {
      return;
    }
    int length = generation.sequence().length();
    long due = deadlines.due(generation);
    if (generation.sequence().decoding()) {
      batch++;
      context += length;
      tokensDue = Math.min(tokensDue, due);
    } else {
      promptNanos += times.prefillNanos(Math.max(1, length - generation.sequence().computed()));
      promptsStart = Math.min(promptsStart, due - promptNanos);
    }
  }

  /// The latest time, by the engine's clock, at which the device has to turn to it; [#NONE] where
  /// there is none.
  long latestStart() {
    StepTimes times = profile.times().orElse(null);
    return times == null || batch == 0
        ? promptsStart
        : Math.min(promptsStart, tokensDue - times.decodeNanos(batch, context));
  }
}
