package dev.weft.platform.gateway;

import dev.weft.functions.instance.ControlApi;
import dev.weft.platform.control.RuntimeAddress;
import dev.weft.platform.gateway.SseFilter.Told;
import dev.weft.platform.telemetry.Invocation.Tokens;
import io.vertx.core.buffer.Buffer;
import java.util.Arrays;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What a client has got of its stream, over all runtimes that wrote it: enough to have another one
/// go on. **thread**: the event loop of its call.
final class StreamProgress implements SseFilter.Listener {
  private static final Pattern KEPT = Pattern.compile("kept (\\d{1,9}) (\\w{1,64}) (\\d{1,9})");

  private final Map<Integer, Choice> choices = new TreeMap<>();
  private final Consumer<String> arrived;
  private @Nullable RuntimeAddress writer;
  private boolean begun;
  private boolean untold;
  private boolean done;
  private @Nullable Tokens usage;
  private boolean usageLast;
  private @Nullable Buffer error;
  private long firstTokenNanos;
  private @Nullable String times;

  /// One choice, as far as it has been passed on.
  private static final class Choice {
    private int[] tokens = new int[16];
    private int count;
    private OptionalInt used = OptionalInt.empty();
    private @Nullable Kept kept;

    void add(Told told) {
      int length = count + told.tokens().length;
      if (length > tokens.length) {
        tokens = Arrays.copyOf(tokens, Math.max(length, 2 * tokens.length));
      }
      System.arraycopy(told.tokens(), 0, tokens, count, told.tokens().length);
      count = length;
      used = told.used();
    }
  }

  /// Keys and values of a choice that the last writer keeps for a while.
  private record Kept(String ticket, String tokens) {}

  /// @param arrived hears what a runtime that goes on has done about keys and values
  StreamProgress(Consumer<String> arrived) {
    this.arrived = arrived;
  }

  @Override
  public void onData(@Nullable Told told) {
    begun = true;
    usageLast = false;
    if (told == null) {
      untold = true;
      return;
    }
    choices.computeIfAbsent(told.choice(), _ -> new Choice()).add(told);
    if (firstTokenNanos == 0 && told.tokens().length > 0) {
      firstTokenNanos = System.nanoTime();
    }
  }

  @Override
  public void onError(Buffer frame) {
    error = frame;
  }

  @Override
  public void onUsage(Tokens counted) {
    usage = counted;
    usageLast = true;
  }

  @Override
  public void onDone() {
    done = true;
  }

  @Override
  public void onTimes(String said) {
    times = said;
  }

  @Override
  public void onKv(String said) {
    Matcher kept = KEPT.matcher(said);
    if (!kept.matches()) {
      arrived.accept(said);
      return;
    }
    Choice choice = choices.get(Integer.valueOf(kept.group(1)));
    if (choice != null) {
      choice.kept = new Kept(kept.group(2), kept.group(3));
    }
  }

  /// Whether anything of an answer went to the client.
  boolean begun() {
    return begun;
  }

  /// Whether all of it is known by tokens.
  boolean known() {
    return !untold;
  }

  /// Whether the mark of the end went to the client.
  boolean done() {
    return done;
  }

  /// Whether everything but the mark of the end has come: usage is the last frame.
  boolean whole() {
    return begun && usageLast;
  }

  /// The frame with which the last runtime ended the stream, if it did.
  @Nullable Buffer error() {
    return error;
  }

  @Nullable Tokens usage() {
    return usage;
  }

  /// When the first token came; 0 before.
  long firstTokenNanos() {
    return firstTokenNanos;
  }

  /// Where the last writer says that its time went; `null` when it said nothing.
  @Nullable String times() {
    return times;
  }

  /// A runtime begins to write, or goes on.
  void take(RuntimeAddress runtime) {
    error = null;
    times = null;
    writer = runtime;
    choices.values().forEach(choice -> choice.kept = null);
  }

  /// The body that has a runtime go on ([ControlApi#CONTINUE]), with the keys and values that the
  /// one before it keeps.
  Buffer continuation(String path, Buffer request, RuntimeAddress to) {
    RuntimeAddress from = writer;
    StringBuilder head = new StringBuilder("{\"path\":\"").append(path).append("\",\"choices\":[");
    choices.forEach((index, choice) -> {
      head.append(head.charAt(head.length() - 1) == '[' ? "" : ",");
      head.append("{\"index\":").append(index).append(",\"tokens\":[");
      for (int i = 0; i < choice.count; i++) {
        head.append(i == 0 ? "" : ",").append(choice.tokens[i]);
      }
      head.append(']');
      choice.used.ifPresent(used -> head.append(",\"used\":").append(used));
      Kept kept = choice.kept;
      if (kept != null && from != null && !from.equals(to)) {
        head.append(",\"kv\":{\"at\":\"").append(address(from, kept.ticket()));
        head.append("\",\"tokens\":").append(kept.tokens()).append('}');
      }
      head.append('}');
    });
    head.append("],\"request\":");
    return Buffer.buffer(head.toString()).appendBuffer(request).appendString("}");
  }

  private static String address(RuntimeAddress runtime, String ticket) {
    String host = runtime.host().contains(":") ? "[" + runtime.host() + "]" : runtime.host();
    return "http://" + host + ":" + runtime.port() + ControlApi.KV + ticket;
  }
}
