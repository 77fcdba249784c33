package dev.weft.autoscaler.admission;

import dev.weft.autoscaler.memory.KvWatermark;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/// Whether an instance can take a request without its device breaking a promise: the request is
/// added on paper, and three things must hold (LLM-Mesh, arXiv 2507.00507).
///
/// 1. *Memory.* What its sequences will need fits what it has, or can get on the planned ledger.
/// 2. *Decode share.* If every instance made one token for each of its sequences as slowly as its
///    function allows, the device would have time for all.
/// 3. *Prompts.* When the prompts that wait are computed in the order in which their first tokens
///    are due, in the time that everybody's tokens leave, the new one and those due after it are in
///    time. One due before it that is late would be late without it too, and is not its fault.
///
/// The answer is the same on a gateway's snapshot and on the runtime's own numbers.
public final class ShadowValidation {
  /// The least part of its time that a device is taken to have left for prompts.
  private static final double LEAST_LEFT = 0.01;

  private ShadowValidation() {}

  public static Outcome decide(
      Request request, InstanceLoad instance, DeviceLoad device, Rules rules, long now) {
    long growTo = instance.plannedTokens();
    long needed = instance.neededTokens() + request.neededTokens();
    long room = device.roomBytes() + device.idleBytesBeside(instance) - instance.unplannedBytes();
    if (room < 0) {
      return new Refused(Code.MEMORY, -room + needed * instance.bytesPerToken());
    }
    switch (rules.watermark().decide(needed, growTo, room / instance.bytesPerToken())) {
      case KvWatermark.Keep _, KvWatermark.Shrink _ -> {}
      case KvWatermark.Grow(var tokens) -> {
        if (growTo > 0 && !device.growsKv()) {
          return new Refused(
              Code.CANNOT_GROW, (double) (needed - growTo) * instance.bytesPerToken());
        }
        growTo = tokens;
      }
      case KvWatermark.Lacks(var missing) -> {
        return new Refused(Code.MEMORY, (double) missing * instance.bytesPerToken());
      }
    }
    double share = othersShare(instance, device) + share(instance, 1, request.promptTokens());
    if (rules.decodeShare() && share > 1) {
      return new Refused(Code.DECODE_SHARE, share - 1);
    }
    long slack =
        rules.prompts() ? slackNanos(request, instance, device, share, now) : Long.MAX_VALUE;
    return slack < 0 ? new Refused(Code.PROMPTS, -slack) : new Fits(growTo, share, slack);
  }

  /// The part of a device's time that an instance needs to keep its promise for each token.
  public static double decodeShare(InstanceLoad instance) {
    return share(instance, 0, 0);
  }

  private static double share(InstanceLoad instance, int more, long moreTokens) {
    return (double)
            instance
                .times()
                .decodeNanos(instance.batch() + more, instance.contextTokens() + moreTokens)
        / instance.tokenNanos();
  }

  private static double othersShare(InstanceLoad instance, DeviceLoad device) {
    double share = 0;
    List<? extends InstanceLoad> all = device.instances();
    for (int i = 0; i < all.size(); i++) {
      InstanceLoad other = all.get(i);
      if (!other.equals(instance) && other.batch() > 0) {
        share += decodeShare(other);
      }
    }
    return share;
  }

  /// How much earlier than due the request's prompt, and those due after it, are computed.
  private static long slackNanos(
      Request request, InstanceLoad instance, DeviceLoad device, double share, long now) {
    double stretch = 1 / Math.max(LEAST_LEFT, 1 - share);
    Queue queue = new Queue();
    List<? extends InstanceLoad> all = device.instances();
    for (int i = 0; i < all.size(); i++) {
      InstanceLoad each = all.get(i);
      List<? extends InstanceLoad.Prompt> prompts = each.prompts();
      for (int j = 0; j < prompts.size(); j++) {
        InstanceLoad.Prompt prompt = prompts.get(j);
        queue.add(
            prompt.deadline(),
            (long) (stretch * each.times().prefillNanos(prompt.tokens())),
            each.readyAt());
      }
    }
    int own = queue.size;
    queue.add(
        request.deadline(),
        (long) (stretch * instance.times().prefillNanos(request.promptTokens())),
        instance.readyAt());
    return queue.slackFrom(own, Math.max(now, device.freeAt()));
  }

  /// Prompts by deadline; those added earlier first among equals.
  private static final class Queue {
    private long[] deadlines = new long[8];
    private long[] durations = new long[8];
    private long[] readyAt = new long[8];
    private int size;

    void add(long deadline, long duration, long ready) {
      if (size == deadlines.length) {
        deadlines = Arrays.copyOf(deadlines, 2 * size);
        durations = Arrays.copyOf(durations, 2 * size);
        readyAt = Arrays.copyOf(readyAt, 2 * size);
      }
      deadlines[size] = deadline;
      durations[size] = duration;
      readyAt[size++] = ready;
    }

    /// The least slack of the entry `own` and of those after it, when the device begins at `time`
    /// and takes the ready entry that is due first.
    long slackFrom(int own, long time) {
      long ownDeadline = deadlines[own];
      long least = Long.MAX_VALUE;
      for (int left = size; left > 0; left--) {
        int next = next(time);
        time = Math.max(time, readyAt[next]) + durations[next];
        boolean counts = next == own || deadlines[next] > ownDeadline;
        if (counts) {
          least = Math.min(least, deadlines[next] - time);
        }
        durations[next] = -1;
      }
      return least;
    }

    private int next(long time) {
      int best = -1;
      for (int i = 0; i < size; i++) {
        if (durations[i] < 0) {
          continue;
        }
        if (best < 0 || before(i, best, time)) {
          best = i;
        }
      }
      return best;
    }

    private boolean before(int a, int b, long time) {
      boolean ready = readyAt[a] <= time;
      if (ready != (readyAt[b] <= time)) {
        return ready;
      }
      return (ready || readyAt[a] == readyAt[b])
          ? deadlines[a] < deadlines[b]
          : readyAt[a] < readyAt[b];
    }
  }

  /// What is asked for.
  ///
  /// @param promptTokens tokens to compute before the next token comes
  /// @param neededTokens KV tokens that it will need, with what it is expected to grow by
  /// @param deadline when its next token is due
  public record Request(int promptTokens, long neededTokens, long deadline) {}

  /// What is checked, and how KV memory grows.
  ///
  /// @param decodeShare whether the decode share is checked
  /// @param prompts whether the prompts' deadlines are
  public record Rules(KvWatermark watermark, boolean decodeShare, boolean prompts) {
    public static final Rules DEFAULT = new Rules(KvWatermark.DEFAULT, true, true);
  }

  /// What was decided.
  public sealed interface Outcome {}

  /// It can.
  ///
  /// @param tokens KV tokens that the instance is then planned to hold
  /// @param decodeShare of the device, with the request; at most 1
  /// @param slackNanos how much earlier than due its prompt, and those after it, are computed
  public record Fits(long tokens, double decodeShare, long slackNanos) implements Outcome {}

  /// It cannot.
  ///
  /// @param gap what is missing: bytes, a share of the device's time, or nanoseconds
  public record Refused(Code code, double gap) implements Outcome {
    /// The reason as a sentence.
    public String describe() {
      return switch (code) {
        case MEMORY -> format("%,.0f bytes of memory are missing", gap);
        case CANNOT_GROW ->
            format("needs %,.0f bytes more KV memory, which cannot grow there", gap);
        case DECODE_SHARE ->
            format("the device would need %.0f %% more time for its tokens", 100 * gap);
        case PROMPTS -> format("a first token would be %.3f s late", gap / 1e9);
      };
    }

    private static String format(String text, double gap) {
      return String.format(Locale.ROOT, text, gap);
    }
  }

  /// Why not.
  public enum Code {
    MEMORY,
    CANNOT_GROW,
    DECODE_SHARE,
    PROMPTS
  }
}
