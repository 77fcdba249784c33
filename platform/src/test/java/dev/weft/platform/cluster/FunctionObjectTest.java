package dev.weft.platform.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.FunctionName;
import dev.weft.functions.FunctionSpec;
import dev.weft.functions.Revision;
import dev.weft.platform.cluster.model.Namespaces;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.GenericKubernetesResourceBuilder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// What is read of an adapter in a namespace that is not the installation's, and written of it.
class FunctionObjectTest {
  private static final Namespaces NAMESPACES = new Namespaces("weft");
  private static final Map<String, Object> SPEC =
      Map.of("adapterOf", "chat", "model", Map.of("sources", List.of(Map.of("uri", "file:/m"))));

  private static GenericKubernetesResource object(String name, Map<String, Object> spec) {
    return new GenericKubernetesResourceBuilder()
        .withNewMetadata()
        .withNamespace("team-a")
        .withName(name)
        .withUid("1")
        .withCreationTimestamp("2026-11-29T08:00:00Z")
        .endMetadata()
        .addToAdditionalProperties("spec", spec)
        .build();
  }

  @Test
  void itsBaseIsInItsNamespace() {
    FunctionObject adapter = FunctionObject.of(object("polite", SPEC), NAMESPACES);

    assertThat(adapter.name()).hasToString("polite.team-a");
    FunctionSpec spec = FunctionObject.global(adapter.name(), adapter.declared().spec());
    assertThat(spec.adapterOf()).isEqualTo(new FunctionName("chat.team-a"));
    assertThat(FunctionObject.tree(spec).path("adapterOf").asText()).isEqualTo("chat");
  }

  /// A spec that did not equal its revision's would make another revision with every look.
  @Test
  void aRevisionHasTheSpecThatItWasMadeOf() {
    FunctionObject adapter = FunctionObject.of(object("polite", SPEC), NAMESPACES);
    FunctionSpec spec = FunctionObject.global(adapter.name(), adapter.declared().spec());

    Revision revision =
        FunctionObject.revision(
            object("polite-00001", Map.of("template", FunctionObject.tree(spec))), NAMESPACES);

    assertThat(revision.id()).hasToString("polite-00001.team-a");
    assertThat(revision.spec()).isEqualTo(spec);
  }
}
