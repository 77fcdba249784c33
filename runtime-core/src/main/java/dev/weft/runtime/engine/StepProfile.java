package dev.weft.runtime.engine;

import dev.weft.autoscaler.profile.RefinedProfile;
import dev.weft.autoscaler.profile.RefinedProfile.Margin;
import dev.weft.autoscaler.profile.StepTimes;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.runtime.scheduling.StepPlan.Part;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// How long the steps of one decoder take on its device: measured once while the device idles
/// ([StepProbe]), kept by whoever made this, and refined by every step since. The device's thread
/// teaches it; what it says may be asked by any.
public final class StepProfile {
  /// What decisions add to expected times.
  private static final Margin MARGIN = new Margin(1.1, 1.1);

  /// What is asked by others is renewed after so many steps.
  private static final int STEPS_A_RENEWAL = 64;

  private final Consumer<PerformanceTable> keeper;
  private final boolean wanted;
  private volatile @Nullable Seen seen;

  // Of the device's thread.
  private @Nullable RefinedProfile refined;
  private int stepsSinceRenewal;

  private record Seen(PerformanceTable table, StepTimes times) {}

  private StepProfile(
      Optional<PerformanceTable> stored, Consumer<PerformanceTable> keeper, boolean wanted) {
    this.keeper = keeper;
    this.wanted = wanted;
    stored.ifPresent(this::begin);
  }

  /// One that begins with what is known, if anything is.
  ///
  /// @param keeper given the table when it has been measured and at the end, never on the device's
  ///   thread
  public static StepProfile of(
      Optional<PerformanceTable> stored, Consumer<PerformanceTable> keeper) {
    return new StepProfile(stored, keeper, true);
  }

  /// One that knows nothing and is never measured.
  public static StepProfile none() {
    return new StepProfile(Optional.empty(), _ -> {}, false);
  }

  /// The table as it is now; empty until it has been measured.
  public Optional<PerformanceTable> table() {
    return Optional.ofNullable(seen).map(Seen::table);
  }

  /// Expected times with a margin, as decisions want them; empty until they have been measured.
  public Optional<StepTimes> times() {
    return Optional.ofNullable(seen).map(Seen::times);
  }

  /// How long a step of sequences that continue takes, without a margin; empty until it has been
  /// measured. For the device's thread.
  OptionalLong decodeNanos(int batch, long contextTokens) {
    RefinedProfile profile = refined;
    return profile == null
        ? OptionalLong.empty()
        : OptionalLong.of(profile.decodeNanos(batch, contextTokens));
  }

  /// Gives the table to its keeper, as far as there is one.
  public void keep() {
    table().ifPresent(keeper);
  }

  /// Whether somebody has still to measure it.
  boolean missing() {
    return wanted && refined == null;
  }

  /// Takes what was measured, on the device's thread.
  public void measured(PerformanceTable table) {
    begin(table);
    Thread.ofVirtual().name("weft-profile").start(this::keep);
  }

  private void begin(PerformanceTable table) {
    refined = new RefinedProfile(table, Margin.NONE);
    seen = new Seen(table, new RefinedProfile(table, MARGIN));
  }

  /// Learns from a step. One with drafts, or with several prompts or the middle of one, says
  /// nothing of how long a batch or a prompt takes.
  void took(List<Part> parts, long nanos) {
    RefinedProfile profile = refined;
    if (profile == null) {
      return;
    }
    int decodes = 0;
    long context = 0;
    Part prompt = null;
    for (Part part : parts) {
      if (part.drafts() > 0) {
        return;
      }
      if (part.decodes()) {
        decodes++;
        context += part.from() + 1;
      } else if (prompt == null && part.from() == 0) {
        prompt = part;
      } else {
        return;
      }
    }
    if (prompt == null) {
      profile.sawDecode(decodes, context, nanos);
    } else {
      long beside = decodes == 0 ? 0 : profile.decodeNanos(decodes, context);
      profile.sawPrefill(prompt.count(), nanos - beside);
    }
    if (++stepsSinceRenewal >= STEPS_A_RENEWAL) {
      stepsSinceRenewal = 0;
      PerformanceTable table = profile.table();
      seen = new Seen(table, new RefinedProfile(table, MARGIN));
    }
  }
}
