package dev.weft.platform.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.weft.platform.telemetry.Invocation.Tokens;
import io.vertx.core.buffer.Buffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// What the filter takes out of a stream and what it passes, however the stream is cut.
class SseFilterTest {
  private static final String FRAME = "data: {\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}\n\n";
  private static final String USAGE =
      "data: {\"id\":\"x\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":1}}}\n\n";
  private static final String DONE = "data: [DONE]\n\n";
  private static final String SENT =
      ": keep-alive\n\n"
          + ": t 5\n"
          + FRAME.formatted("a")
          + ": t 6 7\n"
          + FRAME.formatted("größe \\\"usage\\\":{")
          + ": t/3 8 end 9\n"
          + FRAME.formatted("")
          + ": this is not tokens\n\n"
          + ": times queue=0.5 decode=1.25\n"
          + USAGE
          + DONE;
  private static final String PASSED =
      ": keep-alive\n\n"
          + FRAME.formatted("a")
          + FRAME.formatted("größe \\\"usage\\\":{")
          + FRAME.formatted("")
          + ": this is not tokens\n\n"
          + DONE;

  private static final class Heard implements SseFilter.Listener {
    private final List<String> events = new ArrayList<>();

    @Override
    public void onData(SseFilter.@Nullable Told told) {
      events.add(
          told == null
              ? "data"
              : "data %d %s %d"
                  .formatted(
                      told.choice(), Arrays.toString(told.tokens()), told.used().orElse(-1)));
    }

    @Override
    public void onError(Buffer frame) {
      events.add("error " + frame);
    }

    @Override
    public void onTimes(String said) {
      events.add("times " + said);
    }

    @Override
    public void onUsage(Tokens tokens) {
      events.add("usage " + tokens.input() + " " + tokens.output());
    }

    @Override
    public void onKv(String said) {
      events.add("kv " + said);
    }

    @Override
    public void onDone() {
      events.add("done");
    }
  }

  @Test
  void takesTokensAndUsageOutAndPassesTheRest() {
    Heard heard = new Heard();
    SseFilter filter = new SseFilter(false, heard);
    assertThat(filter.accept(Buffer.buffer(SENT)).toString()).isEqualTo(PASSED);
    assertThat(heard.events)
        .containsExactly(
            "data 0 [5] -1",
            "data 0 [6, 7] -1",
            "data 3 [8] 9",
            "times queue=0.5 decode=1.25",
            "usage 3 2",
            "done");
  }

  @Test
  void passesUsageWhenAsked() {
    SseFilter filter = new SseFilter(true, new Heard());
    assertThat(filter.accept(Buffer.buffer(USAGE + DONE)).toString()).isEqualTo(USAGE + DONE);
  }

  @Test
  void passesUsageThatComesWithText() {
    String both =
        "data: {\"choices\":[{\"text\":\"x\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n";
    Heard heard = new Heard();
    SseFilter filter = new SseFilter(false, heard);
    assertThat(filter.accept(Buffer.buffer(both)).toString()).isEqualTo(both);
    assertThat(heard.events).containsExactly("usage 1 1", "data");
  }

  @Test
  void keepsErrorsForItsListener() {
    Heard heard = new Heard();
    String error = "data: {\"error\":{\"message\":\"m\"}}\n\n";
    assertThat(new SseFilter(false, heard).accept(Buffer.buffer(error)).toString()).isEmpty();
    assertThat(heard.events).containsExactly("error " + error);
  }

  @Test
  void whatIsSaidOfKeysAndValuesIsForItsListenerAlone() {
    Heard heard = new Heard();
    String error = "data: {\"error\":{\"message\":\"m\"}}\n\n";
    String sent =
        ": kv 12 tokens came\n: t 5\n" + FRAME.formatted("a") + ": kv kept 0 ab 9\n" + error;
    assertThat(new SseFilter(false, heard).accept(Buffer.buffer(sent)).toString())
        .isEqualTo(FRAME.formatted("a"));
    assertThat(heard.events)
        .containsExactly("kv 12 tokens came", "data 0 [5] -1", "kv kept 0 ab 9", "error " + error);
  }

  @Test
  void frameThatWasCutCountsOnlyOnceItsDataWentOut() {
    Heard heard = new Heard();
    SseFilter filter = new SseFilter(false, heard);
    String line = FRAME.formatted("a").strip();
    assertThat(filter.accept(Buffer.buffer(": t 5\n" + line)).toString()).isEmpty();
    assertThat(filter.seam().toString()).isEmpty();
    assertThat(heard.events).isEmpty();

    assertThat(filter.accept(Buffer.buffer("\n")).toString()).isEqualTo(line + "\n");
    assertThat(heard.events).containsExactly("data 0 [5] -1");
    assertThat(filter.seam().toString()).as("ends the frame").isEqualTo("\n");
    assertThat(filter.seam().toString()).isEmpty();
  }

  @Test
  void saysWhenNothingWasToldOfAFrame() {
    Heard heard = new Heard();
    String frames = ": t\n" + FRAME.formatted("") + FRAME.formatted("a");
    new SseFilter(false, heard).accept(Buffer.buffer(frames));
    assertThat(heard.events).containsExactly("data 0 [] -1", "data");
  }

  @Test
  void commentThatIsNoTokensIsRefused() {
    SseFilter filter = new SseFilter(false, new Heard());
    for (String comment : List.of(": t x\n", ": t/ 5\n", ": t 5 end\n", ": t 5 end x\n")) {
      assertThatIllegalStateException()
          .as(comment)
          .isThrownBy(() -> filter.accept(Buffer.buffer(comment)));
    }
  }

  @Property(tries = 300)
  void resultDoesNotDependOnHowTheStreamIsCut(
      @ForAll @Size(max = 20) List<@IntRange(min = 0, max = 600) Integer> cuts) {
    byte[] bytes = Buffer.buffer(SENT).getBytes();
    List<Integer> ends =
        new ArrayList<>(cuts.stream().filter(cut -> cut <= bytes.length).sorted().toList());
    ends.add(bytes.length);
    Heard heard = new Heard();
    SseFilter filter = new SseFilter(false, heard);
    Buffer passed = Buffer.buffer();
    int start = 0;
    for (int end : ends) {
      passed.appendBuffer(filter.accept(Buffer.buffer(SENT).getBuffer(start, end)));
      start = end;
    }
    assertThat(passed.toString()).isEqualTo(PASSED);
    assertThat(heard.events).endsWith("usage 3 2", "done").hasSize(6);
  }

  @Test
  void lineWithoutAnEndIsRefusedRatherThanKept() {
    SseFilter filter = new SseFilter(false, new Heard());
    Buffer chunk = Buffer.buffer(new byte[SseFilter.MAX_LINE_BYTES]);
    filter.accept(chunk);
    assertThatIllegalStateException().isThrownBy(() -> filter.accept(Buffer.buffer("x")));
  }
}
