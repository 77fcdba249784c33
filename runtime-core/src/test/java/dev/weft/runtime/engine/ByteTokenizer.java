package dev.weft.runtime.engine;

import dev.weft.runtime.tokenizer.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/// One token a UTF-8 byte, so that every string of two characters is split over tokens, and so is
/// every character beyond ASCII. Token 256 ends, 257 begins an answer.
public final class ByteTokenizer implements Tokenizer {
  public static final int END = 256;
  public static final int ANSWER = 257;
  public static final int VOCABULARY = 258;

  /// A prompt: the text's bytes and [#ANSWER].
  public static int[] prompt(String text) {
    int[] bytes = bytes(text);
    int[] prompt = Arrays.copyOf(bytes, bytes.length + 1);
    prompt[bytes.length] = ANSWER;
    return prompt;
  }

  @Override
  public int[] encode(List<TextPart> parts, boolean addSpecial) {
    return bytes(parts.stream().map(TextPart::text).collect(Collectors.joining()));
  }

  private static int[] bytes(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int[] tokens = new int[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      tokens[i] = bytes[i] & 0xff;
    }
    return tokens;
  }

  @Override
  public String decode(int[] tokens, boolean skipSpecial) {
    var bytes = new ByteArrayOutputStream();
    for (int token : tokens) {
      if (token < 256) {
        bytes.write(token);
      }
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  @Override
  public byte[] tokenBytes(int token) {
    return token < 256 ? new byte[] {(byte) token} : new byte[0];
  }

  @Override
  public IncrementalDecoder incrementalDecoder(boolean skipSpecial) {
    return new Decoder();
  }

  @Override
  public int vocabularySize() {
    return VOCABULARY;
  }

  @Override
  public Set<Integer> endTokens() {
    return Set.of(END);
  }

  @Override
  public Map<String, String> specialTokens() {
    return Map.of();
  }

  @Override
  public void close() {
    // Nothing is held.
  }

  private static final class Decoder implements IncrementalDecoder {
    private final ByteBuffer bytes = ByteBuffer.allocate(16);
    private final CharBuffer chars = CharBuffer.allocate(16);
    private final CharsetDecoder decoder =
        StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPLACE);

    @Override
    public String add(int token) {
      if (token >= 256) {
        return "";
      }
      bytes.put((byte) token);
      return decode(false);
    }

    @Override
    public String finish() {
      String rest = decode(true);
      bytes.clear();
      return rest;
    }

    private String decode(boolean end) {
      bytes.flip();
      chars.clear();
      decoder.decode(bytes, chars, end);
      bytes.compact();
      return chars.flip().toString();
    }
  }
}
