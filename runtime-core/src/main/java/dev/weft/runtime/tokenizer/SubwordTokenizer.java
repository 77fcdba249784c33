package dev.weft.runtime.tokenizer;

import dev.weft.runtime.tokenizer.AddedTokenSplitter.Piece;
import dev.weft.runtime.tokenizer.TokenizerDefinition.Framing;
import dev.weft.runtime.weights.ModelFormatException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/// A tokenizer over one native tokenizer. Special tokens are found here ([AddedTokenSplitter]), the
/// text between them is encoded natively, and all decoding is done here.
final class SubwordTokenizer implements Tokenizer {
  private final TokenizerDefinition definition;
  private final AddedTokenSplitter splitter;
  private final NativeTokenizer words;
  private final Framing framing;

  private SubwordTokenizer(TokenizerDefinition definition, NativeTokenizer words, Framing framing) {
    this.definition = definition;
    this.splitter = new AddedTokenSplitter(definition.added());
    this.words = words;
    this.framing = framing;
  }

  static SubwordTokenizer open(TokenizerDefinition definition) {
    NativeTokenizer words = NativeTokenizer.open(definition.json());
    try {
      Framing framing = definition.framing().orElseGet(() -> measuredFraming(words));
      return new SubwordTokenizer(definition.withoutJson(), words, framing);
    } catch (RuntimeException e) {
      words.close();
      throw e;
    }
  }

  @Override
  public int[] encode(List<TextPart> parts, boolean addSpecial) {
    IntStream tokens =
        splitter.split(parts).stream()
            .flatMapToInt(piece ->
                switch (piece) {
                  case Piece.Special(int id) -> IntStream.of(id);
                  case Piece.Text(String text, int start) ->
                      Arrays.stream(words.encode(prepared(text, start), false));
                });
    return (addSpecial ? framed(tokens) : tokens).toArray();
  }

  @Override
  public String decode(int[] tokens, boolean skipSpecial) {
    IncrementalDecoder decoder = incrementalDecoder(skipSpecial);
    StringBuilder text = new StringBuilder(tokens.length * 4);
    for (int token : tokens) {
      text.append(decoder.add(token));
    }
    return text.append(decoder.finish()).toString();
  }

  @Override
  public byte[] tokenBytes(int token) {
    String spelling = definition.vocabulary().token(token);
    return spelling == null ? new byte[0] : definition.decoder().bytes(spelling);
  }

  @Override
  public IncrementalDecoder incrementalDecoder(boolean skipSpecial) {
    return TokenDecoder.over(definition.decoder(), definition.vocabulary(), skipSpecial);
  }

  @Override
  public int vocabularySize() {
    return definition.vocabulary().size();
  }

  @Override
  public Set<Integer> endTokens() {
    return definition.endTokens();
  }

  @Override
  public Map<String, String> specialTokens() {
    return definition.specialTokens();
  }

  @Override
  public void close() {
    words.close();
  }

  private String prepared(String text, int start) {
    String wellFormed = withoutUnpairedSurrogates(text);
    boolean needsSpace =
        definition.spaceFirst()
            && start == 0
            && wellFormed.charAt(0) != ' '
            && wellFormed.charAt(0) != TokenDecoder.VISIBLE_SPACE;
    return needsSpace ? " " + wellFormed : wellFormed;
  }

  private IntStream framed(IntStream tokens) {
    return IntStream.concat(
        IntStream.concat(stream(framing.before()), tokens), stream(framing.after()));
  }

  private static IntStream stream(List<Integer> tokens) {
    return tokens.stream().mapToInt(Integer::intValue);
  }

  /// What the post-processor puts around a text, found by encoding a letter with and without it.
  private static Framing measuredFraming(NativeTokenizer words) {
    List<Integer> bare = Arrays.stream(words.encode("a", false)).boxed().toList();
    List<Integer> framed = Arrays.stream(words.encode("a", true)).boxed().toList();
    for (int before = 0; before + bare.size() <= framed.size(); before++) {
      int after = before + bare.size();
      if (framed.subList(before, after).equals(bare)) {
        return new Framing(framed.subList(0, before), framed.subList(after, framed.size()));
      }
    }
    throw new ModelFormatException(
        "The tokenizer's post-processor changes the tokens of a text; only tokens around it are"
            + " supported.");
  }

  /// Half a surrogate pair is no character; it becomes U+FFFD, as in every UTF-8 encoder.
  private static String withoutUnpairedSurrogates(String text) {
    if (text.chars().noneMatch(letter -> Character.isSurrogate((char) letter))) {
      return text;
    }
    StringBuilder repaired = new StringBuilder(text.length());
    text.codePoints()
        .map(point -> Character.getType(point) == Character.SURROGATE ? 0xFFFD : point)
        .forEach(repaired::appendCodePoint);
    return repaired.toString();
  }
}
