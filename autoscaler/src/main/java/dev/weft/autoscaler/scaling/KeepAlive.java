package dev.weft.autoscaler.scaling;

import dev.weft.functions.DurationText;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.Scaling;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.Why;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// Which loaded instances have been idle for long enough to go.
///
/// A busy instance stays. Of a function's newest revision the `min` most recently used stay however
/// long they idle; the others go when their keep-alive is over, unless their function's next call
/// is likely to come soon ([Foresight]). An instance of an older revision goes as soon as it is
/// idle and the newest revision is ready to take its place.
public final class KeepAlive {
  private static final Comparator<Loaded> NEWEST_THEN_MOST_RECENTLY_USED =
      Comparator.comparing(Loaded::newest)
          .thenComparing(Loaded::lastUsedAt)
          .reversed()
          .thenComparing(loaded -> loaded.device().value());

  private KeepAlive() {}

  public static Plan decide(List<Loaded> instances, Instant now) {
    Map<FunctionName, List<Loaded>> byFunction =
        instances.stream()
            .collect(
                Collectors.groupingBy(
                    loaded -> loaded.revision().function(), TreeMap::new, Collectors.toList()));
    List<Unload> unloads = new ArrayList<>();
    List<Loaded> kept = new ArrayList<>();
    byFunction.values().forEach(ofFunction -> decide(ofFunction, now, unloads, kept));
    return new Plan(unloads, kept.stream().map(KeepAlive::deadline).min(Comparator.naturalOrder()));
  }

  /// Adds the instances of one function that go to `unloads`, and those that may go later to
  /// `kept`.
  private static void decide(
      List<Loaded> ofFunction, Instant now, List<Unload> unloads, List<Loaded> kept) {
    List<Loaded> byUse =
        ofFunction.stream().filter(Loaded::ready).sorted(NEWEST_THEN_MOST_RECENTLY_USED).toList();
    boolean replaced = byUse.stream().anyMatch(Loaded::newest);
    for (int i = 0; i < byUse.size(); i++) {
      Loaded loaded = byUse.get(i);
      if (loaded.busy()) {
        continue;
      }
      if (replaced && !loaded.newest()) {
        unloads.add(superseded(loaded));
      } else if (i >= loaded.scaling().min()) {
        if (deadline(loaded).isAfter(now)) {
          kept.add(loaded);
        } else if (!Foresight.likely(loaded.soon())) {
          unloads.add(idle(loaded, now));
        }
      }
    }
  }

  private static Instant deadline(Loaded loaded) {
    return loaded.lastUsedAt().plus(loaded.scaling().keepAlive());
  }

  private static Unload superseded(Loaded loaded) {
    return new Unload(
        loaded.device(), loaded.revision(), new Why("superseded", "a newer revision is ready"));
  }

  private static Unload idle(Loaded loaded, Instant now) {
    long idleSeconds = Duration.between(loaded.lastUsedAt(), now).toSeconds();
    Duration keepAlive = loaded.scaling().keepAlive();
    return new Unload(
        loaded.device(),
        loaded.revision(),
        new Why(
            "idle",
            "idle for %ds, keep-alive is %s".formatted(idleSeconds, DurationText.format(keepAlive)),
            Map.of(
                "idleSeconds",
                (double) idleSeconds,
                "keepAliveSeconds",
                (double) keepAlive.toSeconds())));
  }

  /// One loaded instance.
  ///
  /// @param newest whether it is of its function's newest revision
  /// @param ready whether it answers; one that is being loaded does not yet
  /// @param busy whether it has requests
  /// @param soon the probability that its function is called within [Foresight#toStay]
  public record Loaded(
      DeviceId device,
      RevisionId revision,
      boolean newest,
      boolean ready,
      boolean busy,
      Instant lastUsedAt,
      Scaling scaling,
      double soon) {
    /// One of whose function's next call nothing is known.
    public Loaded(
        DeviceId device,
        RevisionId revision,
        boolean newest,
        boolean ready,
        boolean busy,
        Instant lastUsedAt,
        Scaling scaling) {
      this(device, revision, newest, ready, busy, lastUsedAt, scaling, 0);
    }
  }

  /// What to unload, and when to look again should nothing happen; empty when nothing can expire.
  /// Whatever stays for a call that is expected is to be looked at now and then.
  public record Plan(List<Unload> unloads, Optional<Instant> nextAt) {
    public Plan {
      unloads = List.copyOf(unloads);
    }
  }

  /// One instance that goes, and why: `idle` or `superseded`.
  public record Unload(DeviceId device, RevisionId revision, Why why) {}
}
