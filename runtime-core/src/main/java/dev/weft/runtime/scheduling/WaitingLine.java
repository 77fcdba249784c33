package dev.weft.runtime.scheduling;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.NoSuchElementException;
import java.util.stream.Stream;

/// Sequences that wait to be let in: first come, first served, but for those that let others pass,
/// since they are too late already. Of each [#TURNS] that are let in while such wait one is theirs,
/// again the first that came, so nobody is passed for good.
final class WaitingLine {
  static final int TURNS = 4;

  private final Deque<Sequence> line = new ArrayDeque<>();
  private final Deque<Sequence> passed = new ArrayDeque<>();

  /// That passed the first of those that let pass.
  private int passes;

  void addFirst(Sequence sequence) {
    line.addFirst(sequence);
  }

  void addLast(Sequence sequence) {
    line.addLast(sequence);
  }

  /// Does nothing for one that does not wait, or lets pass already.
  void letPass(Sequence sequence) {
    if (line.remove(sequence)) {
      passed.addLast(sequence);
    }
  }

  void remove(Sequence sequence) {
    if (!line.remove(sequence)) {
      passed.remove(sequence);
    }
  }

  /// The one that is let in next.
  Sequence head() {
    Sequence head = (theirTurn() ? passed : line).peekFirst();
    if (head == null) {
      throw new NoSuchElementException("nobody waits");
    }
    return head;
  }

  void removeHead() {
    boolean theirs = theirTurn();
    (theirs ? passed : line).removeFirst();
    passes = theirs || passed.isEmpty() ? 0 : passes + 1;
  }

  /// Whether the next is one of those that let pass.
  private boolean theirTurn() {
    return line.isEmpty() || (!passed.isEmpty() && passes >= TURNS - 1);
  }

  int size() {
    return line.size() + passed.size();
  }

  boolean isEmpty() {
    return line.isEmpty() && passed.isEmpty();
  }

  Stream<Sequence> stream() {
    return Stream.concat(line.stream(), passed.stream());
  }
}
