package dev.weft.platform.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Json;
import dev.weft.functions.Model;
import dev.weft.functions.ModelSource;
import dev.weft.functions.Revision;
import dev.weft.functions.RevisionId;
import dev.weft.platform.control.DeployedFunction.Share;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Who gets a function's calls.
class DeployedFunctionTest {
  private static final Instant NOW = Instant.parse("2026-11-29T08:00:00Z");

  private static DeployedFunction function(Share... traffic) {
    FunctionName name = new FunctionName("f");
    FunctionSpec spec =
        FunctionSpec.of(new Model(null, List.of(ModelSource.of("file:///m")), null));
    List<Revision> revisions =
        IntStream.rangeClosed(1, 3)
            .mapToObj(number -> new Revision(new RevisionId(name, number), spec, NOW))
            .toList();
    return new DeployedFunction(name, Map.of(), 2, revisions, NOW, NOW, List.of(traffic));
  }

  private static long drawn(DeployedFunction function, int number) {
    return IntStream.range(0, 100)
        .filter(draw -> function.drawn(draw).id().number() == number)
        .count();
  }

  @Test
  void theActiveRevisionGetsAllWhereNothingElseIsSaid() {
    assertThat(drawn(function(), 2)).isEqualTo(100);
    assertThat(function().canaries()).isEmpty();
  }

  @Test
  void sharesAreWhatTheySay() {
    DeployedFunction function = function(new Share(2, 90), new Share(3, 10));
    assertThat(drawn(function, 2)).isEqualTo(90);
    assertThat(drawn(function, 3)).isEqualTo(10);
    assertThat(function.canaries()).extracting(each -> each.id().number()).containsExactly(3);
    assertThat(function.serves(function.revisions().get(2))).isTrue();
    assertThat(function.serves(function.revisions().get(0))).isFalse();
  }

  @Test
  void gatewaysReadWhatAnEarlierControllerWrote() throws Exception {
    var json = Json.mapper();
    String text = json.writeValueAsString(function()).replace(",\"traffic\":[]", "");
    assertThat(text).doesNotContain("traffic");
    assertThat(json.readValue(text, DeployedFunction.class)).isEqualTo(function());
  }
}
