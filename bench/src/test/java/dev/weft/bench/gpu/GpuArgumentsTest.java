package dev.weft.bench.gpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A command line says what is measured; what it does not say is everything, once.
class GpuArgumentsTest {
  private static GpuArguments parse(String line) {
    return GpuArguments.parse(line.isEmpty() ? new String[0] : line.split(" ", -1));
  }

  @Test
  void nothingSaidIsEverything() {
    GpuArguments arguments = parse("");
    assertThat(arguments.rounds()).isEqualTo(1);
    assertThat(arguments.parts().stream().map(GpuPart::name))
        .containsExactly(
            "elastic", "cold-start", "switching", "ceilings", "products", "decode", "prefill");
    assertThat(arguments.results()).isEmpty();
    assertThat(arguments.render()).isEmpty();
  }

  @Test
  void everythingCanBeChosen() {
    GpuArguments arguments = parse("2 --only prefill,elastic --results /tmp/r --render /tmp/s");
    assertThat(arguments.rounds()).isEqualTo(2);
    assertThat(arguments.parts().stream().map(GpuPart::name)).containsExactly("prefill", "elastic");
    assertThat(arguments.results()).contains(Path.of("/tmp/r"));
    assertThat(arguments.render()).contains(Path.of("/tmp/s"));
  }

  @Test
  void resultsAreNamedByTheDevice() {
    assertThat(GpuBench.directory("NVIDIA H200").getFileName().toString())
        .matches("\\d{4}-\\d\\d-\\d\\d-nvidia-h200");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--only elastc", "--only", "--results", "0", "-1", "1000", "7B:1,8"})
  void anErrorSaysWhatIsWrong(String line) {
    assertThatThrownBy(() -> parse(line))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(line.substring(line.lastIndexOf(' ') + 1));
  }
}
