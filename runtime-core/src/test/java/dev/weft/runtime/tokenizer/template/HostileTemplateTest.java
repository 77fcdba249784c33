package dev.weft.runtime.tokenizer.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.tokenizer.ChatTemplate.ChatTemplateException;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Templates come with models and may be written to do harm: each ends soon, with an error.
@Timeout(value = 20, unit = TimeUnit.SECONDS)
class HostileTemplateTest {
  private static final Map<String, ?> VARIABLES =
      Map.of("messages", List.of(Map.of("role", "user", "content", "hello")));

  @ParameterizedTest
  @ValueSource(
      strings = {
        // Loops.
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% for i in range(999999999999) %}{% endfor %}",
        "{% for i in range(-9223372036854775807, 9223372036854775807, 922337203685477580) %}"
            + "{% for j in range(99999) %}{% for k in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
        // Growth.
        "{% set n = namespace(x='0123456789') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{{ 'a' * 99999999999 }}",
        "{{ [0] * 99999999999 }}",
        "{{ [] * 999999999999 }}",
        "{{ '%9999s' % 'a' * 99999999 }}",
        "{% for i in range(99999) %}{{ 'aaaaaaaaaaaaaaaa' * 999 }}{% endfor %}",
        "{% set x = 'a' * 99999 %}{% for i in range(99999) %}{{ x.replace('a', x) }}{% endfor %}",
        "{{ ('a' * 999999)|replace('', 'b' * 99999) }}",
        "{{ range(99999)|join('a' * 99999) }}",
        "{{ ('a\n' * 99999)|indent(99999) }}",
        "{{ range(99999)|list|tojson(indent=99999) }}",
        // Searches.
        "{% set x = 'a' * 999999 %}{{ (x[:499999] ~ 'b') in x }}",
        "{{ ('a' * 999999).count('a' * 99999 ~ 'b') }}",
        "{{ range(99999)|unique|list|length }}",
        // Depth.
        "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}",
        "{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x|tojson }}",
        "{% set n = namespace(x=[], y=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}"
            + "{% set n.y = [n.y] %}{% endfor %}{{ n.x == n.y }}",
        // Ways out.
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ messages|map(attribute='__class__')|list }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ raise_exception.__globals__ }}",
        "{{ namespace.__init__ }}",
        "{{ self.x }}",
        "{{ cycler.__init__ }}",
        "{{ messages|attr('x') }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update({'role': 'system'}) }}",
        "{{ messages[0].pop('role') }}",
        "{{ 9 ** 99999999 }}",
        "{{ 9223372036854775807 + 1 }}",
        "{{ 99999999999999999999 }}"
      })
  void endsWithAClearError(String source) {
    assertRefused(source);
  }

  static List<String> deepSources() {
    return List.of(
        "{{ " + "(".repeat(99_999) + "1" + ")".repeat(99_999) + " }}",
        "{{ " + "[".repeat(99_999) + " }}",
        "{{ " + "not ".repeat(99_999) + "1 }}",
        "{{ " + "-".repeat(99_999) + "1 }}",
        "{{ 1" + " + 1".repeat(99_999) + " }}",
        "{{ x" + "|trim".repeat(99_999) + " }}",
        "{{ x" + ".y".repeat(99_999) + " }}",
        "{{ 1" + " if 1 else 1".repeat(30_000) + " }}",
        "{% if 1 %}".repeat(9_999) + "{% endif %}".repeat(9_999),
        "{% for i in [1] %}".repeat(9_999) + "{% endfor %}".repeat(9_999),
        "{{ 1 }}".repeat(99_999));
  }

  @ParameterizedTest
  @MethodSource("deepSources")
  void deepOrLongSourcesAreRefused(String source) {
    assertRefused(source);
  }

  @Test
  void theClockEndsWhatTheCountersDoNot() {
    AtomicLong clock = new AtomicLong();
    TemplateLimits limits =
        new TemplateLimits(1000, Long.MAX_VALUE, 1000, Long.MAX_VALUE, 600, Duration.ofSeconds(2));
    String source = "{% for i in range(99999) %}{% endfor %}";
    assertThatThrownBy(() ->
            ChatTemplates.compile(
                    source,
                    limits,
                    Clock.systemUTC(),
                    () -> clock.addAndGet(Duration.ofSeconds(1).toNanos()))
                .render(VARIABLES))
        .isInstanceOf(ChatTemplateException.class)
        .hasMessageContaining("2000 ms");
  }

  @Test
  void depthFitsAThreadWithASmallStack() throws InterruptedException {
    String[] outcome = {""};
    Thread thread =
        new Thread(
            null,
            () -> {
              try {
                ChatTemplates.compile(
                        "{% macro f(n) %}{% if n %}{% for i in [1] %}{{ 1 + (f(n)|trim ~ '')|int }}"
                            + "{% endfor %}{% endif %}{% endmacro %}{{ f(1) }}")
                    .render(VARIABLES);
              } catch (ChatTemplateException e) {
                outcome[0] = String.valueOf(e.getMessage());
              }
            },
            "small stack",
            512 * 1024);
    thread.start();
    thread.join();
    assertThat(outcome[0]).contains("levels inside one another");
  }

  private static void assertRefused(String source) {
    assertThatThrownBy(() -> ChatTemplates.compile(source).render(VARIABLES))
        .isInstanceOf(ChatTemplateException.class)
        .hasMessageStartingWith("The chat template");
  }
}
