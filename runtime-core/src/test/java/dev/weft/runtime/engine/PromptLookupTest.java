package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.scheduling.Sequence;
import org.junit.jupiter.api.Test;

class PromptLookupTest {
  @Test
  void guessesWhatFollowedTheSameTokens() {
    assertThat(draft(new PromptLookup(3), 1, 2, 3, 4, 5, 9, 2, 3)).containsExactly(4, 5, 9);
  }

  @Test
  void prefersTheLongerMatchAndOfEqualOnesTheLater() {
    assertThat(draft(new PromptLookup(1), 1, 2, 3, 7, 0, 2, 3, 8, 1, 2, 3)).containsExactly(7);
    assertThat(draft(new PromptLookup(1), 2, 3, 7, 0, 2, 3, 8, 1, 2, 3)).containsExactly(8);
  }

  @Test
  void endsWhereTheTextDoes() {
    assertThat(draft(new PromptLookup(8), 5, 5, 5)).containsExactly(5);
    assertThat(draft(new PromptLookup(8), 1, 2, 1, 2)).containsExactly(1, 2);
  }

  @Test
  void guessesNothingWhenNothingRepeatsOrNothingIsAskedFor() {
    assertThat(draft(new PromptLookup(8), 1, 2, 3, 2)).isEmpty();
    assertThat(draft(new PromptLookup(8), 1)).isEmpty();
    assertThat(draft(new PromptLookup(0), 1, 2, 1, 2)).isEmpty();
  }

  @Test
  void aGuessShrinksToWhatWasRightAndGrowsAgain() {
    var lookup = new PromptLookup(8);
    int[] text = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2};
    assertThat(draft(lookup, text)).hasSize(8);

    lookup.checked(8, 1);
    assertThat(draft(lookup, text)).containsExactly(3, 4);
    lookup.checked(2, 0);
    assertThat(draft(lookup, text)).containsExactly(3);
    lookup.checked(1, 1);
    assertThat(draft(lookup, text)).containsExactly(3, 4);
    lookup.checked(2, 2);
    lookup.checked(4, 4);
    lookup.checked(8, 8);
    assertThat(draft(lookup, text)).hasSize(8);
  }

  private static int[] draft(PromptLookup lookup, int... text) {
    return lookup.draft(new Sequence(text, text.length + 1, false, 0));
  }
}
