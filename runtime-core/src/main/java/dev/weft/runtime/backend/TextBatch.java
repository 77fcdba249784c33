package dev.weft.runtime.backend;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.model.EncoderSpec;
import java.util.ArrayList;
import java.util.List;

/// Texts that an encoder computes in one pass, one after the other.
///
/// @param tokens of all texts
/// @param offsets where each text begins, and behind the last one the number of all tokens
@SuppressWarnings("ArrayRecordComponent")
public record TextBatch(int[] tokens, int[] offsets) {
  /// Rows of the largest pass: at least one text of any length fits.
  public static int mostRows(EncoderSpec spec, CompileOptions options) {
    return Math.max(options.maxBatchTokens(), spec.contextLength());
  }

  /// Puts texts, in their order, into as few passes as the options allow. Throws
  /// [IllegalArgumentException] when the encoder cannot hold one of them.
  public static List<TextBatch> split(List<int[]> texts, EncoderSpec spec, CompileOptions options) {
    texts.forEach(text -> requireWithin(spec, text));
    int mostRows = mostRows(spec, options);
    var batches = new ArrayList<TextBatch>();
    int first = 0;
    while (first < texts.size()) {
      int rows = 0;
      int end = first;
      while (end < texts.size()
          && end - first < options.maxSequences()
          && rows + texts.get(end).length <= mostRows) {
        rows += texts.get(end++).length;
      }
      batches.add(of(texts.subList(first, end), rows));
      first = end;
    }
    return batches;
  }

  private static TextBatch of(List<int[]> texts, int rows) {
    int[] tokens = new int[rows];
    int[] offsets = new int[texts.size() + 1];
    for (int i = 0; i < texts.size(); i++) {
      int[] text = texts.get(i);
      System.arraycopy(text, 0, tokens, offsets[i], text.length);
      offsets[i + 1] = offsets[i] + text.length;
    }
    return new TextBatch(tokens, offsets);
  }

  /// Throws [IllegalArgumentException] when the encoder cannot hold the text.
  static void requireWithin(EncoderSpec spec, int[] text) {
    if (text.length == 0 || text.length > spec.contextLength()) {
      throw new IllegalArgumentException(
          "a text has %d tokens; 1 to %d are possible"
              .formatted(text.length, spec.contextLength()));
    }
    for (int token : text) {
      if (token < 0 || token >= spec.vocabularySize()) {
        throw new IllegalArgumentException(
            "token %d is outside the vocabulary of %d".formatted(token, spec.vocabularySize()));
      }
    }
  }

  public int rowCount() {
    return tokens.length;
  }

  public int textCount() {
    return offsets.length - 1;
  }

  /// Tokens of one of the texts.
  public int length(int text) {
    return offsets[text + 1] - offsets[text];
  }
}
