package dev.weft.platform.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.functions.DeviceClass;
import dev.weft.functions.Function;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.InvalidManifestException;
import dev.weft.functions.KvCache;
import dev.weft.functions.Limits;
import dev.weft.functions.Manifests;
import dev.weft.functions.Quantization;
import dev.weft.functions.Scaling;
import dev.weft.functions.ServiceLevel;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/// Options over a declaration that says some things itself.
class SpecOptionsTest {
  private static final Function DECLARED =
      Manifests.parseOne(
          """
          apiVersion: weft.dev/v1alpha1
          kind: Function
          metadata: {name: mine, labels: {team: a}}
          spec:
            model: {sources: ["file:/m.gguf"], contextLength: 512}
            quantization: w8a8
            serviceLevel: {ttft: 1s, priority: 4}
            scaling: {max: 3}
          """);

  private static FunctionSpec apply(String... arguments) {
    return CommandLine.populateCommand(new SpecOptions(), arguments).apply(DECLARED).spec();
  }

  @Test
  void whatIsNotSaidStaysAsDeclared() {
    assertThat(new SpecOptions().apply(DECLARED)).isEqualTo(DECLARED);
  }

  @Test
  void everyOptionIsAMemberOfTheDeclaration() {
    FunctionSpec spec =
        apply(
            "--quantization=W4A8 --kv-cache=INT8 --context-length=256 --ttft=500ms --tpot=50ms"
                .concat(" --priority=2 --min=1 --max=5 --keep-alive=1h --wait-budget=90s")
                .concat(" --devices=CPU --max-output-tokens=64 --max-queued-requests=7")
                .concat(" --max-held-requests=8")
                .split(" "));

    assertThat(spec.quantization()).isEqualTo(Quantization.W4A8);
    assertThat(spec.kvCache()).isEqualTo(KvCache.INT8);
    assertThat(spec.model().contextLength()).isEqualTo(256);
    assertThat(spec.serviceLevel())
        .isEqualTo(new ServiceLevel(Duration.ofMillis(500), Duration.ofMillis(50), 2));
    assertThat(spec.scaling())
        .isEqualTo(new Scaling(1, 5, Duration.ofHours(1), Duration.ofSeconds(90)));
    assertThat(spec.devices()).containsExactly(DeviceClass.CPU);
    assertThat(spec.limits()).isEqualTo(new Limits(8, 7, 64));
  }

  @Test
  void oneMemberOfAGroupLeavesTheOthers() {
    assertThat(apply("--tpot", "50ms").serviceLevel())
        .isEqualTo(new ServiceLevel(Duration.ofSeconds(1), Duration.ofMillis(50), 4));
    assertThat(apply("--min", "2").scaling().max()).as("as declared").isEqualTo(3);
  }

  @Test
  void whatADeclarationMayNotSayIsRefusedAlike() {
    assertThatThrownBy(() -> apply("--priority", "0"))
        .isInstanceOfSatisfying(
            InvalidManifestException.class,
            invalid -> assertThat(invalid.field()).isEqualTo("spec.serviceLevel.priority"));
    assertThatThrownBy(() -> apply("--min", "4")).hasMessageContaining("more than max");
    assertThatThrownBy(() -> apply("--ttft", "soon"))
        .isInstanceOf(CommandLine.ParameterException.class)
        .hasMessageContaining("500ms, 2s, 5m, 1h");
  }
}
