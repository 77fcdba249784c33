package dev.weft.runtime.tokenizer;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;

/// SentencePiece stores a score for each piece where BPE wants an ordered list of merges. Every way
/// to put a piece together from two others is a merge; better scores come first. The order, ties
/// included, is that of the conversion in Hugging Face's transformers.
final class SentencePieceMerges {
  /// Two pieces whose joining is a piece.
  record Merge(String left, String right, float score, int leftLength, int rightLength) {}

  private SentencePieceMerges() {}

  /// @param mergeable which ids are ordinary pieces
  static List<Merge> derive(List<String> tokens, List<Float> scores, IntPredicate mergeable) {
    Map<String, Integer> ids = HashMap.newHashMap(tokens.size());
    for (int id = 0; id < tokens.size(); id++) {
      if (mergeable.test(id)) {
        ids.put(tokens.get(id), id);
      }
    }
    List<Merge> merges = new ArrayList<>();
    for (int id = 0; id < tokens.size(); id++) {
      if (mergeable.test(id)) {
        addMerges(merges, tokens.get(id), scores.get(id), ids);
      }
    }
    merges.sort(
        Comparator.comparingDouble(Merge::score)
            .thenComparingInt(Merge::leftLength)
            .thenComparingInt(Merge::rightLength)
            .reversed());
    return merges;
  }

  private static void addMerges(
      List<Merge> merges, String piece, float score, Map<String, Integer> ids) {
    int length = piece.codePointCount(0, piece.length());
    List<Merge> ways = new ArrayList<>();
    int cut = 0;
    for (int leftLength = 1; leftLength < length; leftLength++) {
      cut = piece.offsetByCodePoints(cut, 1);
      String left = piece.substring(0, cut);
      if (!ids.containsKey(left)) {
        continue;
      }
      String right = piece.substring(cut);
      if (ids.containsKey(right)) {
        ways.add(new Merge(left, right, score, leftLength, length - leftLength));
      }
    }
    ways.sort(
        Comparator.comparingInt((Merge way) -> ids.getOrDefault(way.left(), 0))
            .thenComparingInt(way -> ids.getOrDefault(way.right(), 0)));
    merges.addAll(ways);
  }
}
