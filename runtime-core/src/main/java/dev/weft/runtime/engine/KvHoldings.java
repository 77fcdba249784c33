package dev.weft.runtime.engine;

import dev.weft.autoscaler.memory.KvForecast;
import dev.weft.autoscaler.profile.StepTimes;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/// What the running sequences of a decoder hold of KV memory, and how they will grow.
///
/// @param sequences those that hold blocks
/// @param sharedBytes what several of them hold together and is counted for each
/// @param capacityBytes all KV memory that the decoder could have, were its neighbours idle
record KvHoldings(List<KvForecast.Sequence> sequences, long sharedBytes, long capacityBytes) {
  KvHoldings {
    sequences = List.copyOf(sequences);
  }

  /// @param times of its steps; while nothing is known of them, sequences are taken to grow as fast
  ///   as was promised
  static KvHoldings of(
      Collection<Generation> generations,
      Deadlines deadlines,
      InTime.Kv kv,
      Optional<StepTimes> times) {
    List<Generation> holders = new ArrayList<>();
    long context = 0;
    int blocks = 0;
    for (Generation generation : generations) {
      int held = generation.sequence().blocks().size();
      if (held > 0) {
        holders.add(generation);
        context += generation.sequence().length();
        blocks += held;
      }
    }
    int batch = Math.max(1, holders.size());
    long tokens = context;
    long tokenNanos =
        times
            .map(known -> Math.max(1, known.decodeNanos(batch, tokens)))
            .orElse(deadlines.tokenNanos());
    List<KvForecast.Sequence> sequences =
        holders.stream().map(holder -> sequence(holder, deadlines, kv, tokenNanos)).toList();
    long shared = Math.max(0, blocks - kv.blocks().actual()) * kv.layout().blockBytes();
    return new KvHoldings(sequences, shared, kv.mostBytes());
  }

  private static KvForecast.Sequence sequence(
      Generation generation, Deadlines deadlines, InTime.Kv kv, long tokenNanos) {
    int produced = generation.usage().completionTokens();
    return new KvForecast.Sequence(
        generation.sequence().length(),
        produced,
        Math.max(produced, generation.request().maxTokens()),
        kv.bytesPerToken(),
        tokenNanos,
        deadlines.lengths());
  }

  /// What they will need so much later, not exceeded with the confidence.
  long bytesAfter(long nanos, double confidence) {
    double bytes = KvForecast.demandBytes(sequences, nanos, confidence);
    return Math.max(0, (long) Math.ceil(bytes) - sharedBytes);
  }
}
