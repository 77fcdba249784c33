package dev.weft.runtime.sampling;

/// Tokens in order of their logits, the largest first, the lowest index first of equal ones: a
/// binary heap, so that taking the best few of a vocabulary costs its length once and a logarithm
/// each. Reused; holds no logits of its own.
final class CandidateHeap {
  private int[] tokens = {};
  private int size;

  /// Takes the tokens whose logit is at least `threshold`.
  void fill(float[] logits, double threshold) {
    if (tokens.length < logits.length) {
      tokens = new int[logits.length];
    }
    size = 0;
    for (int token = 0; token < logits.length; token++) {
      // A token that is ruled out never becomes a candidate, whatever the threshold.
      if (logits[token] >= threshold && logits[token] != Float.NEGATIVE_INFINITY) {
        tokens[size++] = token;
      }
    }
  }

  int size() {
    return size;
  }

  /// The token at `index`: in order of tokens until [#order] is called.
  int token(int index) {
    return tokens[index];
  }

  /// Makes a heap of the tokens; from now on [#pop] works.
  void order(float[] logits) {
    for (int parent = size / 2 - 1; parent >= 0; parent--) {
      sink(logits, parent);
    }
  }

  /// Takes out the best token and puts it behind the heap, at index [#size].
  int pop(float[] logits) {
    int best = tokens[0];
    tokens[0] = tokens[--size];
    tokens[size] = best;
    sink(logits, 0);
    return best;
  }

  private void sink(float[] logits, int start) {
    int parent = start;
    while (true) {
      int child = 2 * parent + 1;
      if (child >= size) {
        return;
      }
      if (child + 1 < size && before(logits, tokens[child + 1], tokens[child])) {
        child++;
      }
      if (!before(logits, tokens[child], tokens[parent])) {
        return;
      }
      int token = tokens[parent];
      tokens[parent] = tokens[child];
      tokens[child] = token;
      parent = child;
    }
  }

  private static boolean before(float[] logits, int a, int b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  }
}
