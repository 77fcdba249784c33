package dev.weft.platform.cluster.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import org.junit.jupiter.api.Test;

class NamespacesTest {
  private final Namespaces namespaces = new Namespaces("weft");

  @Test
  void functionsOfTheInstallationsNamespaceAreCalledByTheirNames() {
    FunctionName name = namespaces.functionName("weft", "chat");

    assertThat(name).isEqualTo(new FunctionName("chat"));
    assertThat(namespaces.of(name)).isEqualTo("weft");
    assertThat(namespaces.revisionId("weft", "chat-00003")).isEqualTo(new RevisionId(name, 3));
  }

  @Test
  void othersAreCalledWithTheirNamespace() {
    FunctionName name = namespaces.functionName("team-a", "chat");

    assertThat(name).hasToString("chat.team-a");
    assertThat(namespaces.of(name)).isEqualTo("team-a");
    assertThat(namespaces.revisionId("team-a", "chat-00003")).isEqualTo(new RevisionId(name, 3));
  }

  /// No definition admits such an object; were there one, it would answer for somebody else's.
  @Test
  void noObjectIsTakenForOneOfAnotherNamespace() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> namespaces.functionName("weft", "chat.team-a"));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> namespaces.functionName("team-b", "chat.team-a"));
  }
}
