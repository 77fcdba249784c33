package dev.weft.platform.gateway;

import dev.weft.platform.telemetry.Invocation.Tokens;
import io.vertx.core.buffer.Buffer;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/// Passes an event stream on byte by byte, but for what a runtime adds for the gateway alone:
///
/// - a line `: t 12 34` before a frame, the ids of the tokens that its text came from;
/// - the last frame, whose `choices` are empty and which carries `usage`, unless the client asked
///   for it.
///
/// Works on lines, however the chunks are cut. **thread**: one event loop.
final class SseFilter {
  /// A line may not be longer; a stream that has one is broken.
  static final int MAX_LINE_BYTES = 4 << 20;

  private static final byte[] TOKENS = bytes(": t");
  private static final byte[] DATA = bytes("data:");
  private static final byte[] DONE = bytes("[DONE]");
  private static final byte[] ERROR = bytes("{\"error\":");
  private static final byte[] USAGE = bytes("\"usage\":{");

  private final boolean passUsage;
  private final Listener listener;
  private final ByteArrayOutputStream line = new ByteArrayOutputStream(1_024);
  private Buffer passed = Buffer.buffer();
  private boolean swallowBlank;

  /// Is told what goes by.
  interface Listener {
    /// Token ids came.
    void onTokens(int count);

    /// A frame came that is no usage and no error.
    void onData();

    /// A frame with an error came: the stream ends after it.
    void onError();

    void onUsage(Tokens tokens);

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

  private void acceptLine(byte[] bytes) {
    int length = contentLength(bytes);
    if (length == 0 && swallowBlank) {
      swallowBlank = false;
      return;
    }
    swallowBlank = false;
    if (startsWith(bytes, length, 0, TOKENS) && (length == 3 || bytes[3] == ' ')) {
      listener.onTokens(countWords(bytes, TOKENS.length, length));
      return;
    }
    if (startsWith(bytes, length, 0, DATA) && !acceptData(bytes, length)) {
      swallowBlank = true;
      return;
    }
    passed.appendBytes(bytes);
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
      listener.onError();
    } else {
      listener.onData();
    }
    return true;
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

  private static int countWords(byte[] bytes, int from, int length) {
    int count = 0;
    for (int i = from; i < length; i++) {
      if (bytes[i] != ' ' && bytes[i - 1] == ' ') {
        count++;
      }
    }
    return count;
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
