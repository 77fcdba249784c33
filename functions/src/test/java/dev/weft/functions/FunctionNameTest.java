package dev.weft.functions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.core.JsonProcessingException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FunctionNameTest {
  private static final String LONGEST = "a".repeat(63);

  @Test
  void aNameIsALabel() {
    FunctionName name = new FunctionName("support-chat");

    assertThat(name.local()).isEqualTo("support-chat");
    assertThat(name.namespace()).isEmpty();
    assertThat(name.beside(new FunctionName("base"))).isEqualTo(new FunctionName("base"));
  }

  @Test
  void functionsOfOtherNamespacesSayWhichOne() {
    FunctionName name = FunctionName.in("team-a", "support-chat");

    assertThat(name).hasToString("support-chat.team-a").isEqualTo(new FunctionName(name.value()));
    assertThat(name.local()).isEqualTo("support-chat");
    assertThat(name.namespace()).contains("team-a");
    assertThat(name.beside(new FunctionName("base"))).isEqualTo(new FunctionName("base.team-a"));
    assertThat(FunctionName.in(LONGEST, LONGEST).value()).hasSize(127);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", ".", "..", "a.", ".a", "a..b", "a.b.c", "a.B", "A.b", "a.-b", "a-.b", "../a"})
  void whatIsNoNameIsRefused(String text) {
    assertThatExceptionOfType(InvalidManifestException.class)
        .isThrownBy(() -> new FunctionName(text))
        .withMessageContaining("is not a function name");
  }

  @Test
  void aNamespaceInAnObjectsNameIsRefused() {
    assertThatExceptionOfType(InvalidManifestException.class)
        .isThrownBy(() -> FunctionName.in("team-a", "chat.team-b"));
    assertThatExceptionOfType(InvalidManifestException.class)
        .isThrownBy(() -> new FunctionName(LONGEST + "a"));
  }

  @Test
  void theWireHasNamesAsText() throws JsonProcessingException {
    FunctionName name = FunctionName.in("team-a", "chat");

    assertThat(Json.mapper().writeValueAsString(name)).isEqualTo("\"chat.team-a\"");
    assertThat(Json.mapper().readValue("\"chat.team-a\"", FunctionName.class)).isEqualTo(name);
  }

  @Test
  void revisionsAreCalledAsTheirObjectsAreInTheirNamespaces() {
    RevisionId revision = new RevisionId(FunctionName.in("team-00007", "chat-00001"), 12);

    assertThat(revision).hasToString("chat-00001-00012.team-00007");
    assertThat(revision.local()).isEqualTo("chat-00001-00012");
    assertThat(RevisionId.parse(revision.toString())).isEqualTo(revision);
  }

  @Test
  void adaptersOfOtherNamespacesAreCalledWithTheirBaseToo() {
    FunctionSpec spec =
        Manifests.parseOne(Samples.ADAPTER)
            .spec()
            .withAdapterOf(new FunctionName("support-chat.team-a"));
    FunctionName polite = new FunctionName("polite.team-a");

    assertThat(
            ModelName.parse("support-chat.team-a:polite.team-a").orElseThrow().fits(polite, spec))
        .isTrue();
    assertThat(ModelName.parse("support-chat:polite.team-a").orElseThrow().fits(polite, spec))
        .isFalse();
  }
}
