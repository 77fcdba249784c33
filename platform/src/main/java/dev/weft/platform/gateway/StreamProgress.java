package dev.weft.platform.gateway;

import dev.weft.platform.gateway.SseFilter.Told;
import dev.weft.platform.telemetry.Invocation.Tokens;
import io.vertx.core.buffer.Buffer;
import java.util.Arrays;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// What a client has got of its stream, over all runtimes that wrote it: enough to have another one
/// go on. **thread**: the event loop of its call.
final class StreamProgress implements SseFilter.Listener {
  private final Map<Integer, Choice> choices = new TreeMap<>();
  private boolean begun;
  private boolean untold;
  private boolean done;
  private @Nullable Tokens usage;
  private boolean usageLast;
  private @Nullable Buffer error;
  private long firstTokenNanos;

  /// One choice, as far as it has been passed on.
  private static final class Choice {
    private int[] tokens = new int[16];
    private int count;
    private OptionalInt used = OptionalInt.empty();

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

  /// A runtime begins to write, or goes on.
  void take() {
    error = null;
  }

  /// The body that has a runtime go on ([dev.weft.functions.instance.ControlApi#CONTINUE]).
  Buffer continuation(String path, Buffer request) {
    StringBuilder head = new StringBuilder("{\"path\":\"").append(path).append("\",\"choices\":[");
    choices.forEach((index, choice) -> {
      head.append(head.charAt(head.length() - 1) == '[' ? "" : ",");
      head.append("{\"index\":").append(index).append(",\"tokens\":[");
      for (int i = 0; i < choice.count; i++) {
        head.append(i == 0 ? "" : ",").append(choice.tokens[i]);
      }
      head.append(']');
      choice.used.ifPresent(used -> head.append(",\"used\":").append(used));
      head.append('}');
    });
    head.append("],\"request\":");
    return Buffer.buffer(head.toString()).appendBuffer(request).appendString("}");
  }
}
