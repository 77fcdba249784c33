package dev.weft.platform.gateway;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.weft.platform.telemetry.Invocation.Tokens;
import io.vertx.core.buffer.Buffer;
import java.io.ByteArrayOutputStream;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/// Passes an event stream on byte by byte, but for what a runtime adds for the gateway alone:
///
/// - a line `: t 12 34` before a frame, the ids of the tokens that its text came from
///   ([ControlApi#TOKENS_HEADER]);
/// - a line `: kv kept 0 TICKET 812`, where the stream's keys and values can be fetched, or `: kv
///   TEXT`, what became of those that could be;
/// - a line `: times TEXT`, where the time went at the runtime ([ControlApi#TIMES_HEADER]);
/// - the last frame, whose `choices` are empty and which carries `usage`, unless the client asked
///   for it;
/// - a frame with an error: what becomes of it is the listener's to decide.
///
/// Works on lines, however the chunks are cut, and passes a frame's line of data only when it is
/// whole: what the listener heard of is what the client gets. **thread**: one event loop.
final class SseFilter {
  /// A line may not be longer; a stream that has one is broken.
  static final int MAX_LINE_BYTES = 4 << 20;

  private static final byte[] TOKENS = bytes(": t");
  private static final byte[] KEYS_AND_VALUES = bytes(": kv ");
  private static final byte[] TIMES = bytes(": times ");
  private static final String END = "end";
  private static final byte[] BLANK_LINE = bytes("\n");
  private static final byte[] DATA = bytes("data:");
  private static final byte[] DONE = bytes("[DONE]");
  private static final byte[] ERROR = bytes("{\"error\":");
  private static final byte[] USAGE = bytes("\"usage\":{");

  private final boolean passUsage;
  private final Listener listener;
  private final ByteArrayOutputStream line = new ByteArrayOutputStream(1_024);
  private Buffer passed = Buffer.buffer();
  private boolean swallowBlank;
  private boolean frameOpen;
  private @Nullable Told told;

  /// What a frame brings of a choice.
  ///
  /// @param tokens that its text came from
  /// @param used tokens that the choice took altogether, when this is its last frame
  @SuppressWarnings("ArrayRecordComponent")
  record Told(int choice, int[] tokens, OptionalInt used) {}

  /// Is told what goes by.
  interface Listener {
    /// A frame came that is no usage and no error. `told` is `null` when nothing was said of it.
    void onData(@Nullable Told told);

    /// A frame with an error came, and was not passed: the stream ends after it.
    void onError(Buffer frame);

    void onUsage(Tokens tokens);

    /// Something was said of keys and values.
    void onKv(String said);

    /// Something was said of where the time went.
    void onTimes(String said);

    /// `[DONE]` came: the stream is whole.
    void onDone();
  }

  SseFilter(boolean passUsage, Listener listener) {
    this.passUsage = passUsage;
    this.listener = listener;
  }

  /// Takes a chunk, and returns what of it, and of what was kept before, goes to the client.
  Buffer accept(Buffer chunk) {
    byte[] bytes = chunk.getBytes();
    int start = 0;
    for (int i = 0; i < bytes.length; i++) {
      if (bytes[i] == '\n') {
        line.write(bytes, start, i + 1 - start);
        acceptLine(line.toByteArray());
        line.reset();
        start = i + 1;
      }
    }
    line.write(bytes, start, bytes.length - start);
    if (line.size() > MAX_LINE_BYTES) {
      throw new IllegalStateException("a line of the stream is longer than " + MAX_LINE_BYTES);
    }
    Buffer result = passed;
    passed = Buffer.buffer();
    return result;
  }

  /// What makes a frame whole whose data went to the client and whose end never came.
  Buffer seam() {
    boolean open = frameOpen;
    frameOpen = false;
    return open ? Buffer.buffer(BLANK_LINE) : Buffer.buffer();
  }

  private void acceptLine(byte[] bytes) {
    int length = contentLength(bytes);
    if (length == 0 && swallowBlank) {
      swallowBlank = false;
      return;
    }
    swallowBlank = false;
    if (isTokens(bytes, length)) {
      told = tokens(new String(bytes, TOKENS.length, length - TOKENS.length, US_ASCII));
      return;
    }
    if (startsWith(bytes, length, 0, KEYS_AND_VALUES)) {
      int said = KEYS_AND_VALUES.length;
      listener.onKv(new String(bytes, said, length - said, UTF_8));
      return;
    }
    if (startsWith(bytes, length, 0, TIMES)) {
      listener.onTimes(new String(bytes, TIMES.length, length - TIMES.length, US_ASCII));
      return;
    }
    if (startsWith(bytes, length, 0, DATA) && !acceptData(bytes, length)) {
      swallowBlank = true;
      return;
    }
    passed.appendBytes(bytes);
    frameOpen = length > 0;
  }

  /// Whether the frame goes to the client.
  private boolean acceptData(byte[] bytes, int length) {
    int start = DATA.length;
    while (start < length && bytes[start] == ' ') {
      start++;
    }
    if (startsWith(bytes, length, start, DONE)) {
      listener.onDone();
      return true;
    }
    if (indexOf(bytes, start, length, USAGE) >= 0) {
      UsageReader.Frame frame = UsageReader.readFrame(bytes, start, length - start);
      Optional<Tokens> tokens = frame.tokens();
      tokens.ifPresent(listener::onUsage);
      if (frame.empty() && tokens.isPresent()) {
        return passUsage;
      }
    }
    if (startsWith(bytes, length, start, ERROR)) {
      listener.onError(Buffer.buffer().appendBytes(bytes, 0, length).appendString("\n\n"));
      return false;
    }
    listener.onData(told);
    told = null;
    return true;
  }

  private static boolean isTokens(byte[] bytes, int length) {
    return startsWith(bytes, length, 0, TOKENS)
        && (length == 3 || bytes[3] == ' ' || bytes[3] == '/');
  }

  /// Reads `/1 12 34 end 57`, of which every part may be missing. Throws [IllegalStateException]
  /// for anything else.
  private static Told tokens(String said) {
    try {
      String[] words = said.split(" ", -1);
      int choice = words[0].isEmpty() ? 0 : Integer.parseInt(words[0].substring(1));
      int count = words.length;
      OptionalInt used = OptionalInt.empty();
      if (count > 2 && words[count - 2].equals(END)) {
        used = OptionalInt.of(Integer.parseInt(words[count - 1]));
        count -= 2;
      }
      int[] tokens = new int[count - 1];
      for (int i = 0; i < tokens.length; i++) {
        tokens[i] = Integer.parseInt(words[i + 1]);
      }
      return new Told(choice, tokens, used);
    } catch (NumberFormatException e) {
      throw new IllegalStateException("a runtime says of its tokens '%s'".formatted(said), e);
    }
  }

  /// Without the line's end, `\n` or `\r\n`.
  private static int contentLength(byte[] bytes) {
    int length = bytes.length - 1;
    return length > 0 && bytes[length - 1] == '\r' ? length - 1 : length;
  }

  private static boolean startsWith(byte[] bytes, int length, int from, byte[] prefix) {
    if (length - from < prefix.length) {
      return false;
    }
    for (int i = 0; i < prefix.length; i++) {
      if (bytes[from + i] != prefix[i]) {
        return false;
      }
    }
    return true;
  }

  private static int indexOf(byte[] bytes, int from, int length, byte[] wanted) {
    for (int i = from; i <= length - wanted.length; i++) {
      if (startsWith(bytes, length, i, wanted)) {
        return i;
      }
    }
    return -1;
  }

  private static byte[] bytes(String text) {
    return text.getBytes(US_ASCII);
  }
}
