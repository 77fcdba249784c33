package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.CharRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.NotEmpty;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.StringLength;
import org.junit.jupiter.api.Test;

class StopStringsTest {
  @Test
  void tellsTextAtOnceWhenItCannotBeginAStop() {
    var stops = new StopStrings(List.of("</s>", "END"));

    assertThat(stops.add("hello")).isEqualTo("hello");
    assertThat(stops.add(" <")).isEqualTo(" ");
    assertThat(stops.add("/b>")).isEqualTo("</b>");
    assertThat(stops.add("E")).isEmpty();
    assertThat(stops.finish()).isEqualTo("E");
  }

  @Test
  void theEarliestStopCounts() {
    var stops = new StopStrings(List.of("bc", "abcd"));

    assertThat(stops.add("xabcd")).isEqualTo("x");
    assertThat(stops.found()).isTrue();
    assertThat(stops.add("more")).isEmpty();
    assertThat(stops.finish()).isEmpty();
  }

  @Test
  void aFalseStartMayHoldTheTrueOne() {
    var stops = new StopStrings(List.of("aab"));

    assertThat(stops.add("aa")).isEmpty();
    assertThat(stops.add("a")).isEqualTo("a");
    assertThat(stops.add("b")).isEmpty();
    assertThat(stops.found()).isTrue();
  }

  /// However tokens split it, the text is that before the stop which ends first in the stream.
  @Property
  void theResultDoesNotDependOnHowTextIsSplit(
      @ForAll @CharRange(from = 'a', to = 'c') @StringLength(max = 30) String text,
      @ForAll @Size(min = 1, max = 3)
          List<@NotEmpty @CharRange(from = 'a', to = 'c') @StringLength(max = 4) String> stops,
      @ForAll @Size(max = 30) List<@IntRange(min = 1, max = 5) Integer> cuts) {
    var matcher = new StopStrings(stops);
    var out = new StringBuilder();
    int from = 0;
    for (int i = 0; from < text.length() && !matcher.found(); i++) {
      int to = Math.min(text.length(), from + (i < cuts.size() ? cuts.get(i) : 1));
      out.append(matcher.add(text.substring(from, to)));
      // What was told is never taken back: it ends before any stop.
      assertThat(stops).noneMatch(stop -> out.indexOf(stop) >= 0);
      from = to;
    }
    out.append(matcher.finish());

    boolean contained = stops.stream().anyMatch(text::contains);
    assertThat(matcher.found()).isEqualTo(contained);
    if (!contained) {
      assertThat(out.toString()).isEqualTo(text);
    } else {
      assertThat(text).startsWith(out.toString());
      assertThat(stops).anyMatch(stop -> text.startsWith(stop, out.length()));
    }
  }
}
