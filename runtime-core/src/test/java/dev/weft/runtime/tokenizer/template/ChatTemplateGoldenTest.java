package dev.weft.runtime.tokenizer.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import java.io.IOException;
import java.io.InputStream;
import java.time.Clock;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Every rendering is letter by letter what Jinja2 makes with transformers' settings, and every
/// template that Jinja2 refuses is refused. `src/test/python/chat_template_goldens.py` writes the
/// goldens.
class ChatTemplateGoldenTest {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  @TestFactory
  Stream<DynamicTest> rendersAsJinja2() throws IOException {
    return tests("goldens.json");
  }

  /// Templates of published models, whose text is not kept here; see the script.
  @TestFactory
  Stream<DynamicTest> rendersPublicTemplatesAsJinja2() throws IOException {
    return tests("public.json");
  }

  private Stream<DynamicTest> tests(String file) throws IOException {
    try (InputStream in = getClass().getResourceAsStream("/golden/chat/" + file)) {
      Assumptions.assumeTrue(in != null, file + " has not been generated on this machine");
      JsonNode root = MAPPER.readTree(in);
      return StreamSupport.stream(root.path("goldens").spliterator(), false)
          .map(golden -> DynamicTest.dynamicTest(name(golden), () -> check(root, golden)));
    }
  }

  private static String name(JsonNode golden) {
    return golden.path("name").asText().replace('\n', ' ');
  }

  private static void check(JsonNode root, JsonNode golden) {
    String source = root.path("templates").path(golden.path("template").intValue()).asText();
    JsonNode variables = root.path("variables").path(golden.path("variables").intValue());
    Clock clock =
        Clock.fixed(
            LocalDateTime.parse(root.path("now").asText()).toInstant(ZoneOffset.UTC),
            ZoneOffset.UTC);
    if (golden.has("text")) {
      assertThat(render(source, variables, clock)).isEqualTo(golden.path("text").asText());
    } else {
      assertThatThrownBy(() -> render(source, variables, clock))
          .as("Jinja2: %s", golden.path("error").asText())
          .isInstanceOf(ChatTemplateException.class)
          .hasMessageStartingWith("The chat template");
    }
  }

  private static String render(String source, JsonNode variables, Clock clock) {
    Map<String, ?> values = MAPPER.convertValue(variables, new Types());
    return ChatTemplates.compile(source, TemplateLimits.DEFAULT, clock, System::nanoTime)
        .render(values);
  }

  private static final class Types extends TypeReference<Map<String, Object>> {}
}
