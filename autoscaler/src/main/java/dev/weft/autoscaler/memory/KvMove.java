package dev.weft.autoscaler.memory;

import dev.weft.autoscaler.profile.StepTimes;
import java.util.Locale;
import java.util.Optional;

/// Whether the keys and values of a sequence that goes on elsewhere are fetched from where they
/// are, or computed again from its tokens: whichever is expected to take less time.
///
/// @param moveNanos how long fetching is expected to take
/// @param computeNanos how long computing is; `-1` when that is not known
/// @param reason as a sentence
public record KvMove(Way way, long moveNanos, long computeNanos, String reason) {
  /// What is done.
  public enum Way {
    MOVE,
    COMPUTE
  }

  /// What is missing.
  ///
  /// @param known tokens of the text, from its beginning, whose keys and values are there
  /// @param tokens after these, whose keys and values are not
  /// @param tokenBytes of keys and values of one token
  public record Missing(int known, int tokens, long tokenBytes) {
    public Missing {
      if (known < 0 || tokens < 1 || tokenBytes < 1) {
        throw new IllegalArgumentException(
            "%d tokens of %d bytes after %d".formatted(tokens, tokenBytes, known));
      }
    }

    long bytes() {
      return tokens * tokenBytes;
    }
  }

  /// Decides. Where nobody has measured how long prompts take, what is there is fetched: that is
  /// bounded by the link, and takes no steps from others.
  ///
  /// @param times of the device that goes on
  public static KvMove decide(Missing missing, Optional<StepTimes> times, LinkSpeed link) {
    long move = link.nanos(missing.bytes());
    if (times.isEmpty()) {
      return new KvMove(
          Way.MOVE,
          move,
          -1,
          "moving %s is expected to take %s; how long computing takes was never measured"
              .formatted(describe(missing), millis(move)));
    }
    long compute =
        Math.max(
            0,
            times.get().prefillNanos(missing.known() + missing.tokens())
                - times.get().prefillNanos(missing.known()));
    return new KvMove(
        move < compute ? Way.MOVE : Way.COMPUTE,
        move,
        compute,
        "moving %s is expected to take %s, computing them %s"
            .formatted(describe(missing), millis(move), millis(compute)));
  }

  private static String describe(Missing missing) {
    return String.format(
        Locale.ROOT, "%d tokens (%.1f MB)", missing.tokens(), (double) missing.bytes() / 1e6);
  }

  private static String millis(long nanos) {
    return String.format(Locale.ROOT, "%.1f ms", (double) nanos / 1e6);
  }
}
