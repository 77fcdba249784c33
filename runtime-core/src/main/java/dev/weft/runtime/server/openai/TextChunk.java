package dev.weft.runtime.server.openai;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.List;

/// The chunks of one choice that carry text and nothing else, of which every token makes one: all
/// but the text is written once, and no tree is built for the rest of them. Not thread-safe.
public final class TextChunk {
  /// Stands for the text; as JSON writes it, it can come from nothing but a control character.
  private static final String MARK = "\u0001";

  private static final String WRITTEN_MARK = "\\u0001";

  private final byte[] before;
  private final byte[] after;

  public TextChunk(Reply.Choice choice) {
    ObjectNode chunk = choice.delta(MARK, List.of());
    String written = chunk.toString();
    int at = written.indexOf(WRITTEN_MARK);
    if (at < 0 || at != written.lastIndexOf(WRITTEN_MARK)) {
      throw new IllegalStateException("the text is not once in " + written);
    }
    before = written.substring(0, at).getBytes(StandardCharsets.UTF_8);
    after = written.substring(at + WRITTEN_MARK.length()).getBytes(StandardCharsets.UTF_8);
  }

  /// The JSON of a chunk, in UTF-8.
  public byte[] with(String text) {
    byte[] quoted = JsonStringEncoder.getInstance().quoteAsUTF8(text);
    byte[] json = new byte[before.length + quoted.length + after.length];
    System.arraycopy(before, 0, json, 0, before.length);
    System.arraycopy(quoted, 0, json, before.length, quoted.length);
    System.arraycopy(after, 0, json, before.length + quoted.length, after.length);
    return json;
  }
}
