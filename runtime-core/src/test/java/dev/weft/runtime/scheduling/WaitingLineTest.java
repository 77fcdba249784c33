package dev.weft.runtime.scheduling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.backend.StepBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

/// Who is let in next, where some let others pass.
class WaitingLineTest {
  private final WaitingLine line = new WaitingLine();

  private static Sequence sequence() {
    return new Sequence(new int[] {1}, 2, false, StepBatch.Entry.NO_ADAPTER);
  }

  private Sequence waits() {
    Sequence sequence = sequence();
    line.addLast(sequence);
    return sequence;
  }

  private Sequence take() {
    Sequence head = line.head();
    line.removeHead();
    return head;
  }

  @Test
  void whoLetsPassComesLastAndInOrder() {
    Sequence late = waits();
    Sequence later = waits();
    Sequence inTime = waits();
    line.letPass(late);
    line.letPass(later);
    line.letPass(late);
    assertThat(line.size()).isEqualTo(3);
    assertThat(take()).isSameAs(inTime);
    assertThat(take()).isSameAs(late);
    assertThat(take()).isSameAs(later);
    assertThat(line.isEmpty()).isTrue();
    assertThatThrownBy(line::head).isInstanceOf(NoSuchElementException.class);
  }

  @Test
  void whoWasNotInLineDoesNotComeIn() {
    line.letPass(sequence());
    assertThat(line.isEmpty()).isTrue();
    Sequence late = waits();
    line.letPass(late);
    line.remove(late);
    assertThat(line.isEmpty()).isTrue();
  }

  /// However many come that can be in time, one of four that are let in is one that cannot.
  @Property
  void nobodyIsPassedForGood(
      @ForAll @IntRange(min = 1, max = 20) int late,
      @ForAll @Size(min = 1, max = 20) List<@IntRange(max = 3) Integer> coming) {
    WaitingLine busy = new WaitingLine();
    List<Sequence> passed = new ArrayList<>();
    for (int i = 0; i < late; i++) {
      Sequence sequence = sequence();
      busy.addLast(sequence);
      busy.letPass(sequence);
      passed.add(sequence);
    }
    List<Sequence> letIn = new ArrayList<>();
    int most = WaitingLine.TURNS * late;
    for (int i = 0; i < most && !busy.isEmpty(); i++) {
      for (int each = 0; each < coming.get(i % coming.size()); each++) {
        busy.addLast(sequence());
      }
      letIn.add(busy.head());
      busy.removeHead();
    }
    assertThat(letIn).containsSubsequence(passed);
  }
}
