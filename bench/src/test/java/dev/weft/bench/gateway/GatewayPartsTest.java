package dev.weft.bench.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GatewayPartsTest {
  @Test
  void aRequestCostsItsRoutingAndItsAdmission() {
    assertThat(RoutingPart.sums(new long[] {1, 5}, new long[] {10, 2})).containsExactly(11, 7);
    assertThatThrownBy(() -> RoutingPart.sums(new long[1], new long[2]))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void onlyChunksOfTheClockHaveATime() {
    assertThat(StreamPart.stamp("data: {\"choices\":[{\"delta\":{\"content\":\" 123\"}}]}"))
        .isEqualTo(OptionalLong.of(123));
    assertThat(StreamPart.stamp("data: {\"delta\":{\"role\":\"assistant\",\"content\":\"7\"}}"))
        .isEqualTo(OptionalLong.of(7));
    assertThat(StreamPart.stamp("data: [DONE]")).isEmpty();
    assertThat(StreamPart.stamp(": t 100")).isEmpty();
    assertThat(StreamPart.stamp("")).isEmpty();
  }

  @Test
  void theCommandLineChooses() {
    GatewayArguments arguments =
        GatewayArguments.parse(new String[] {"2", "--seconds", "3", "--only", "stream,routing"});
    assertThat(arguments.rounds()).isEqualTo(2);
    assertThat(arguments.seconds()).isEqualTo(3);
    assertThat(arguments.parts())
        .extracting(GatewayPart::name)
        .containsExactly("stream", "routing");
    assertThat(GatewayArguments.parse(new String[0]).parts()).isEqualTo(GatewayBench.PARTS);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "many", "--seconds", "--only none"})
  void whatMakesNoSenseIsRefused(String words) {
    assertThatThrownBy(() -> GatewayArguments.parse(words.split(" ", -1)))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
