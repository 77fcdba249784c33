package dev.weft.functions;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

class ManifestsPropertyTest {
  private static final String JUNK = "\0\t\n :-#'\"{}[]&*!|>%@`~,?\\\uD800\uFEFF9";

  @Property
  void readsWhatItWrites(@ForAll("functions") Function function) {
    assertThat(Manifests.parseOne(Manifests.toYaml(function))).isEqualTo(function);
    assertThat(Manifests.parseOne(Manifests.toJson(function))).isEqualTo(function);
  }

  @Property(tries = 200)
  void readsSeveralDocumentsThatItWrites(
      @ForAll("functions") Function a, @ForAll("functions") Function b) {
    assertThat(Manifests.parse(Manifests.toYaml(List.of(a, b)))).containsExactly(a, b);
  }

  /// Text that somebody damaged is read or refused; nothing else ever comes out.
  @Property(tries = 5_000)
  void refusesDamagedTextWithItsOwnExceptionOnly(@ForAll long seed) {
    Random random = new Random(seed);
    String base =
        random.nextBoolean()
            ? Samples.COMPLETE
            : Manifests.toJson(Manifests.parseOne(Samples.COMPLETE));
    StringBuilder text = new StringBuilder(base);
    for (int i = random.nextInt(4); i >= 0; i--) {
      damage(text, random);
    }
    try {
      assertThat(Manifests.parse(text.toString())).isNotEmpty();
    } catch (InvalidManifestException e) {
      assertThat(e.describe()).isNotBlank().doesNotContain("com.fasterxml", "java.lang");
    }
  }

  private static void damage(StringBuilder text, Random random) {
    int at = random.nextInt(text.length());
    switch (random.nextInt(4)) {
      case 0 -> text.deleteCharAt(at);
      case 1 -> text.insert(at, JUNK.charAt(random.nextInt(JUNK.length())));
      case 2 -> text.delete(at, Math.min(text.length(), at + random.nextInt(60)));
      default -> {
        int from = random.nextInt(text.length());
        text.insert(at, text.substring(from, Math.min(text.length(), from + random.nextInt(60))));
      }
    }
    if (text.isEmpty()) {
      text.append('x');
    }
  }

  @Provide
  Arbitrary<Function> functions() {
    Arbitrary<Function.Metadata> metadata =
        Combinators.combine(
                Arbitraries.of("mine", "0", "1e3", "true", "null", "no", "a-1"),
                Arbitraries.maps(
                        Arbitraries.of("a", "weft.dev/b", "yes", "1", "null"),
                        Arbitraries.of(
                            "", "true", "No", "1.10", "0x1f", "1e3", "null", "2026-11-22"))
                    .ofMaxSize(4))
            .as((name, labels) -> new Function.Metadata(new FunctionName(name), labels));
    Arbitrary<Model> model =
        Combinators.combine(
                Arbitraries.of(Model.Kind.class).injectNull(0.3),
                sources().list().ofMinSize(1).ofMaxSize(3),
                Arbitraries.integers().between(1, Integer.MAX_VALUE).injectNull(0.3))
            .as(Model::new);
    Arbitrary<Scaling> scaling =
        Combinators.combine(
                Arbitraries.integers().between(0, 5),
                Arbitraries.integers().between(5, 9),
                Arbitraries.longs().between(0, 9_000_000).map(Duration::ofMillis),
                Arbitraries.longs()
                    .between(0, 9_000_000)
                    .map(Duration::ofSeconds)
                    .map(d -> d.dividedBy(900)))
            .as(Scaling::new);
    Arbitrary<Set<DeviceClass>> devices =
        Arbitraries.of(DeviceClass.class).set().ofMaxSize(2).map(HashSet::new);
    return Combinators.combine(
            metadata,
            model,
            Arbitraries.of(Quantization.class),
            Arbitraries.of(KvCache.class),
            scaling,
            devices)
        .as((meta, mod, quantization, kvCache, scale, allowed) ->
            new Function(
                Function.API_VERSION,
                Function.KIND,
                meta,
                new FunctionSpec(
                    mod,
                    null,
                    quantization,
                    kvCache,
                    ServiceLevel.DEFAULT,
                    scale,
                    allowed.isEmpty() ? EnumSet.allOf(DeviceClass.class) : allowed,
                    Limits.DEFAULT)));
  }

  private static Arbitrary<ModelSource> sources() {
    Arbitrary<String> path =
        Arbitraries.strings()
            .withChars("abc/ :#'\"{}[]&*!|>%@`~,?\\-=\u00e9\u4e2d")
            .ofMinLength(1)
            .ofMaxLength(20)
            .map(text -> "file:/" + text);
    return Combinators.combine(path, Arbitraries.of("0".repeat(64), "e".repeat(64)).injectNull(0.5))
        .as(ModelSource::new);
  }
}
