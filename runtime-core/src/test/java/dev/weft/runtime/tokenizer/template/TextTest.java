package dev.weft.runtime.tokenizer.template;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.tokenizer.Tokenizer.TextPart;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Texts remember who wrote them. A caller's letters are in brackets here.
class TextTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "<s>{{ x }}</s>;<s>[ hi there ]</s>",
        "{{ 'a' + x + 'b' }};a[ hi there ]b",
        "{{ 'a' ~ x|trim ~ 'b' }};a[hi there]b",
        "{{ ('a' ~ x ~ 'b')[:3] }};a[ h]",
        "{{ ('a' ~ x ~ 'b')[::-1] }};b[ ereht ih ]a",
        "{{ ('a ' ~ x ~ ' b').split() | join('-') }};a-[hi]-[there]-b",
        "{{ x.replace('hi', 'yo') }};[ ]yo[ there ]",
        "{{ 'say: hi'.replace('hi', x) }};say: [ hi there ]",
        "{{ x|upper }};[ HI THERE ]",
        "{{ ('a' ~ x)|upper }};[A HI THERE ]",
        "{{ {'k': x}|tojson }};[{\"k\": \" hi there \"}]",
        "{{ {}|tojson }};{}",
        "{{ '%s!' % x }};[ hi there ]!",
        "{{ ['a', x]|join(', ') }};a, [ hi there ]",
        "{% set y %}a{{ x }}{% endset %}{{ y|trim }};a[ hi there]",
        "{% macro m(y) %}<{{ y }}>{% endmacro %}{{ m(x) }};<[ hi there ]>",
        "{% for c in x|trim|list %}{{ c }}.{% endfor %};[h].[i].[ ].[t].[h].[e].[r].[e].",
        "{{ bos_token ~ x.strip() }};<s>[hi there]",
        "{{ 'x' * 2 ~ x|first }};xx[ ]",
        "{{ x if x == ' hi there ' else 'no' }};[ hi there ]"
      })
  void keepsTrackOfTheCallersLetters(String source, String marked) {

    List<TextPart> parts =
        ChatTemplates.compile(source).render(Map.of("x", " hi there "), Map.of("bos_token", "<s>"));
    assertThat(
            parts.stream()
                .map(part -> part.trusted() ? part.text() : "[" + part.text() + "]")
                .collect(Collectors.joining()))
        .isEqualTo(marked);
  }
}
