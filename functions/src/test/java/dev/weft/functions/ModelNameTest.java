package dev.weft.functions;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelNameTest {
  private static final FunctionName POLITE = new FunctionName("support-polite");
  private static final FunctionSpec ADAPTER = Manifests.parseOne(Samples.ADAPTER).spec();
  private static final FunctionSpec PLAIN = Manifests.parseOne(Samples.MINIMAL).spec();

  @Test
  void aFunctionIsCalledByItsName() {
    ModelName name = ModelName.parse("support-polite").orElseThrow();

    assertThat(name.fits(POLITE, ADAPTER)).isTrue();
    assertThat(name.fits(POLITE, PLAIN)).isTrue();
    assertThat(name.fits(new FunctionName("other"), ADAPTER)).isFalse();
    assertThat(name).hasToString("support-polite");
  }

  @Test
  void anAdapterIsCalledWithItsBaseToo() {
    ModelName name = ModelName.parse("support-chat:support-polite").orElseThrow();

    assertThat(name.function()).isEqualTo(POLITE);
    assertThat(name.fits(POLITE, ADAPTER)).isTrue();
    assertThat(name.fits(POLITE, PLAIN)).isFalse();
    assertThat(ModelName.parse("other:support-polite").orElseThrow().fits(POLITE, ADAPTER))
        .isFalse();
    assertThat(name).hasToString("support-chat:support-polite");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ":", "a:", ":a", "a:b:c", "A:b", "a b", "../a"})
  void whatIsNoNameIsNone(String text) {
    assertThat(ModelName.parse(text)).isEmpty();
  }
}
