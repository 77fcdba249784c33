package dev.weft.bench.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.bench.models.ModelShape;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A command line says what is measured; what it does not say is everything.
class ArgumentsTest {
  private static Arguments parse(String line) {
    return Arguments.parse(line.isEmpty() ? new String[0] : line.split(" ", -1));
  }

  @Test
  void nothingSaidIsEverything() {
    Arguments arguments = parse("");
    assertThat(arguments.rounds()).isEqualTo(3);
    assertThat(arguments.parts()).isEqualTo(CpuBench.PARTS);
    assertThat(arguments.shapes()).isEqualTo(ModelShape.ALL);
    assertThat(arguments.cpus()).isEmpty();
    assertThat(arguments.results()).isEmpty();
    assertThat(arguments.render()).isEmpty();
  }

  @Test
  void everythingCanBeChosen() {
    Arguments arguments =
        parse("5 --only http,decode --models llama-3.2-1b --cpus 0,1 --results /tmp/r");
    assertThat(arguments.rounds()).isEqualTo(5);
    assertThat(arguments.parts().stream().map(Part::name)).containsExactly("http", "decode");
    assertThat(arguments.shapes()).containsExactly(ModelShape.LLAMA_1B);
    assertThat(arguments.cpus()).contains("0,1");
    assertThat(arguments.results()).contains(Path.of("/tmp/r"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"--only decod", "--models gpt", "--cpus", "0", "-1", "three", "--rounds 3"})
  void anErrorSaysWhatIsWrong(String line) {
    String wrong = line.substring(line.lastIndexOf(' ') + 1);
    assertThatThrownBy(() -> parse(line))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(line.startsWith("--rounds") ? "--rounds" : wrong);
  }
}
