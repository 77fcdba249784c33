package dev.weft.autoscaler.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class EventsTest {
  private final Events events = new Events();

  @Property
  void eventsComeByTimeAndThenAsTheyWereAskedFor(@ForAll List<@IntRange(max = 50) Integer> times) {
    Events any = new Events();
    List<Integer> came = new ArrayList<>();
    for (int i = 0; i < times.size(); i++) {
      int number = i;
      any.at(times.get(i), () -> came.add(number));
    }
    List<Integer> expected = new ArrayList<>();
    for (int i = 0; i < times.size(); i++) {
      expected.add(i);
    }
    expected.sort(Comparator.comparing(times::get));
    while (any.next() < Long.MAX_VALUE) {
      long next = any.next();
      any.runNext();
      assertThat(any.now()).isEqualTo(next);
    }
    assertThat(came).isEqualTo(expected);
  }

  @Test
  void whatIsAskedForInThePastHappensNow() {
    List<String> came = new ArrayList<>();
    events.at(
        5,
        () -> {
          came.add("first");
          events.at(1, () -> came.add("asked for by it"));
        });
    events.at(6, () -> came.add("last"));
    events.advanceTo(3);
    while (events.next() < Long.MAX_VALUE) {
      events.runNext();
    }
    assertThat(came).containsExactly("first", "asked for by it", "last");
    assertThat(events.now()).isEqualTo(6);
  }
}
