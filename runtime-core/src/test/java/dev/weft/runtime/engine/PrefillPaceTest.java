package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.ServiceLevel;
import dev.weft.runtime.scheduling.Sequence;
import dev.weft.runtime.scheduling.StepBudget;
import dev.weft.runtime.scheduling.StepPlan.Part;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.function.IntToLongFunction;
import org.junit.jupiter.api.Test;

class PrefillPaceTest {
  private static final long MILLI = TimeUnit.MILLISECONDS.toNanos(1);
  private static final Sequence PROMPT = new Sequence(new int[20_000], 30_000, false, 0);

  private static final long BESIDE = PrefillPace.longestBeside(ServiceLevel.DEFAULT);

  private OptionalLong decodeNanos = OptionalLong.empty();
  private final PrefillPace pace = new PrefillPace(512, (_, _) -> decodeNanos);

  @Test
  void growsToAllRowsInAFewStepsOnAFastMachine() {
    assertThat(chunks(false, 5, position -> MILLI / 100)).containsExactly(16, 64, 256, 512, 512);
  }

  @Test
  void aStepTakesABoundedTimeOnASlowMachine() {
    assertThat(chunks(false, 4, position -> 5 * MILLI)).containsExactly(16, 49, 49, 49);
  }

  @Test
  void stepsAreShorterWhileSomebodyReads() {
    chunks(false, 4, position -> 2 * MILLI);
    pace.took(List.of(decode()), 20 * MILLI);

    assertThat(chunk(0, false)).isBetween(110, 125);
    assertThat(chunk(0, true)).as("60 ms are left for prompts").isBetween(26, 30);
  }

  @Test
  void whatReadersTakeByThemselvesIsNotThePromptsCost() {
    decodeNanos = OptionalLong.of(50 * MILLI);
    for (int i = 0; i < 4; i++) {
      pace.took(List.of(decode(), prefill(0, 8)), 58 * MILLI);
    }

    assertThat(chunk(0, true)).as("30 ms are left, of which a row takes one").isBetween(28, 30);
  }

  @Test
  void aStepTakesAPartOfWhatReadersArePromisedATokenIn() {
    chunks(false, 4, position -> 2 * MILLI);

    assertThat(PrefillPace.longestBeside(promise(300))).isEqualTo(120 * MILLI);
    assertThat(rows(next(PrefillPace.longestBeside(promise(300))))).isBetween(54, 60);
    assertThat(rows(next(PrefillPace.longestBeside(promise(40))))).isBetween(6, 8);
    assertThat(next(PrefillPace.longestBeside(promise(10_000))).nanos())
        .as("no longer than a step that nobody reads beside")
        .isEqualTo(next(PrefillPace.NOBODY_READS).nanos());
  }

  private StepBudget next(long longest) {
    return pace.next(longest, longest == PrefillPace.NOBODY_READS ? 0 : 1, 1);
  }

  private static ServiceLevel promise(int tpotMillis) {
    return new ServiceLevel(Duration.ofSeconds(1), Duration.ofMillis(tpotMillis));
  }

  private static int rows(StepBudget budget) {
    return budget.rowsWithin(budget.nanos(), 0, budget.rows());
  }

  @Test
  void whereReadersAloneTakeTheTimeSomeIsLeftOfWhatTheyArePromised() {
    chunks(false, 4, position -> 20 * MILLI);
    decodeNanos = OptionalLong.of(BESIDE + 20 * MILLI);

    StepBudget budget = next(BESIDE);
    assertThat(budget.nanos()).isZero();
    assertThat(budget.mostNanos()).isEqualTo((double) (BESIDE - 20 * MILLI));
    decodeNanos = OptionalLong.of(3 * BESIDE);
    assertThat(next(BESIDE).mostNanos()).isZero();
  }

  @Test
  void rowsFarFromTheBeginningAreFewer() {
    // A row costs 0.2 ms, and as much again for every thousand tokens before it.
    IntToLongFunction cost = position -> MILLI / 5 + position * MILLI / 5_000;
    int position = 0;
    long longest = 0;
    while (position < 6_000) {
      int rows = chunk(position, true);
      long nanos = nanos(position, rows, cost);
      longest = Math.max(longest, nanos);
      pace.took(List.of(prefill(position, rows)), nanos);
      position += rows;
    }
    assertThat(longest).isLessThan(2 * BESIDE);

    // A text that is known up to here: no surprise either.
    int rows = chunk(4_000, true);
    assertThat(nanos(4_000, rows, cost)).isBetween(BESIDE / 2, 3 * BESIDE / 2);
    assertThat(chunk(0, true)).isGreaterThan(2 * rows);
  }

  @Test
  void aBusyMachineMakesStepsShorterAndAFreeOneLongerAgain() {
    chunks(false, 5, position -> MILLI / 2);
    assertThat(chunk(0, false)).isGreaterThan(400);

    chunks(false, 6, position -> 5 * MILLI);
    assertThat(chunk(0, false)).isLessThan(70);

    chunks(false, 12, position -> MILLI / 2);
    assertThat(chunk(0, false)).isGreaterThan(400);
  }

  @Test
  void aFewRowsSayNothing() {
    pace.took(List.of(prefill(0, 3)), 100 * MILLI);

    assertThat(chunk(0, false)).isEqualTo(16);
  }

  @Test
  void aBoundBelowTheFirstRowsHolds() {
    var small = new PrefillPace(4, (_, _) -> OptionalLong.empty());
    assertThat(small.next(PrefillPace.NOBODY_READS, 0, 0).rows()).isEqualTo(4);
    small.took(List.of(prefill(0, 4)), 4);
    assertThat(small.next(PrefillPace.NOBODY_READS, 0, 0).rows()).isEqualTo(4);
  }

  private List<Integer> chunks(boolean readers, int steps, IntToLongFunction nanosOfRow) {
    var chunks = new ArrayList<Integer>();
    for (int i = 0; i < steps; i++) {
      int rows = chunk(0, readers);
      chunks.add(rows);
      pace.took(List.of(prefill(0, rows)), nanos(0, rows, nanosOfRow));
    }
    return chunks;
  }

  /// The rows that the next step may have of a prompt, at least one.
  private int chunk(int position, boolean readers) {
    var budget = next(readers ? BESIDE : PrefillPace.NOBODY_READS);
    return Math.max(1, budget.rowsWithin(budget.nanos(), position, budget.rows()));
  }

  private static long nanos(int position, int rows, IntToLongFunction nanosOfRow) {
    long nanos = 0;
    for (int i = 0; i < rows; i++) {
      nanos += nanosOfRow.applyAsLong(position + i);
    }
    return nanos;
  }

  private static Part prefill(int from, int count) {
    return new Part(PROMPT, from, count);
  }

  private static Part decode() {
    return new Part(PROMPT, PROMPT.promptLength(), 1);
  }
}
