package dev.weft.platform.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.Why;
import dev.weft.platform.control.Decisions.Decision;
import dev.weft.platform.control.Decisions.Kind;
import org.junit.jupiter.api.Test;

class DecisionsTest {
  private static final FunctionName ONE = new FunctionName("one");
  private static final FunctionName TWO = new FunctionName("two");
  private static final DeviceId DEVICE = new DeviceId("cpu-0");

  private final Decisions decisions = new Decisions();

  @Test
  void findsWhatWasDecidedAboutAFunctionOrARequest() {
    decisions.instance(ONE, Kind.LOADING, DEVICE, new Why("held", "requests wait for it"));
    decisions.request(
        ONE, "r1", Kind.ROUTED, DEVICE, new Why("fullest_batch", "the fullest batch"));
    decisions.request(TWO, "r2", Kind.HELD, null, new Why("no_instance", "no instance is ready"));

    assertThat(decisions.of("one", 10))
        .extracting(Decision::kind)
        .containsExactly(Kind.LOADING, Kind.ROUTED);
    assertThat(decisions.of("r2", 10))
        .singleElement()
        .extracting(Decision::function)
        .isEqualTo(TWO);
    assertThat(decisions.of("one", 1)).extracting(Decision::kind).containsExactly(Kind.ROUTED);
    assertThat(decisions.of("nobody", 10)).isEmpty();
  }

  @Test
  void manyRequestsDoNotPushOutWhyAnInstanceCame() {
    decisions.instance(ONE, Kind.LOADING, DEVICE, new Why("held", "requests wait for it"));
    for (int i = 0; i < Decisions.KEPT_OF_REQUESTS + 10; i++) {
      decisions.request(
          ONE, "r" + i, Kind.ROUTED, DEVICE, new Why("fullest_batch", "the fullest batch"));
    }

    assertThat(decisions.of("one", 1_000_000))
        .hasSize(Decisions.KEPT_OF_REQUESTS + 1)
        .first()
        .extracting(Decision::kind)
        .isEqualTo(Kind.LOADING);
    assertThat(decisions.of("r3", 10)).as("the oldest has gone").isEmpty();
  }
}
