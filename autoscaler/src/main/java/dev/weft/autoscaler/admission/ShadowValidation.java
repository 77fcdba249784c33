package dev.weft.autoscaler.admission;

import dev.weft.autoscaler.memory.KvWatermark;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Whether an instance can take a request without its device breaking a promise: the request is
/// added on paper, and three things must hold (LLM-Mesh, arXiv 2507.00507).
///
/// 1. *Memory.* What its sequences will need fits what it has, or can get on the planned ledger.
/// 2. *Decode share.* If every instance made one token for each of its sequences as slowly as its
///    function allows, the device would have time for all.
/// 3. *Prompts.* When the prompts that wait are computed in the order in which their first tokens
///    are due, in the time that is left by the tokens that sequences are owed until then, the new
///    one and those due after it are in time. One due before it that is late would be late without
///    it too, and is not its fault; one whose deadline has passed does not count, since it lets
///    those pass that can be in time.
///
/// The answer is the same on a gateway's snapshot and on the runtime's own numbers.
public final class ShadowValidation {
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
    long slack = rules.prompts() ? slackNanos(request, instance, device, now) : Long.MAX_VALUE;
    return slack < 0 ? new Refused(Code.PROMPTS, -slack) : new Fits(growTo, share, slack);
  }

  /// How late the request's next token would be if the device had nothing else to do; 0 when it
  /// would not.
  public static long lateAloneNanos(Request request, InstanceLoad instance, long now) {
    long ready = Math.max(now, instance.readyAt());
    long done = ready + instance.times().prefillNanos(request.promptTokens());
    return Math.max(0, done - request.deadline());
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
      Request request, InstanceLoad instance, DeviceLoad device, long now) {
    PromptSchedule schedule = new PromptSchedule(Math.max(now, device.freeAt()));
    List<? extends InstanceLoad> all = device.instances();
    for (int i = 0; i < all.size(); i++) {
      InstanceLoad each = all.get(i);
      if (!each.equals(instance)) {
        add(each, schedule, now);
      }
    }
    add(instance, schedule, now);
    int own =
        schedule.prompt(request.deadline(), instance.times().prefillNanos(request.promptTokens()));
    return schedule.slackFrom(own);
  }

  private static void add(InstanceLoad each, PromptSchedule schedule, long now) {
    schedule.instance(each, each.times().decodeNanos(each.batch(), each.contextTokens()));
    List<? extends InstanceLoad.Prompt> prompts = each.prompts();
    for (int i = 0; i < prompts.size(); i++) {
      InstanceLoad.Prompt prompt = prompts.get(i);
      if (!prompt.lost(now)) {
        schedule.prompt(prompt.deadline(), each.times().prefillNanos(prompt.tokens()));
      }
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
    /// What is missing, as data.
    public Map<String, Double> values() {
      return switch (code) {
        case MEMORY, CANNOT_GROW -> Map.of("missingBytes", gap);
        case DECODE_SHARE -> Map.of("missingShare", gap);
        case PROMPTS -> Map.of("lateSeconds", gap / 1e9);
      };
    }

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
