package dev.weft.functions;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class CatalogTest {
  @Test
  void holdsEveryManifestOfItsFolder() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("src/main/resources/catalog"))) {
      assertThat(Catalog.functions())
          .extracting(function -> function.name() + ".yaml")
          .containsExactlyInAnyOrderElementsOf(
              files.map(file -> file.getFileName().toString()).toList());
    }
  }

  @Test
  void triesTheHubBeforeThePackageRegistry() {
    for (Function function : Catalog.functions()) {
      assertThat(function.spec().model().sources())
          .extracting(ModelSource::scheme)
          .containsExactly("hf", "pypi");
      assertThat(function.spec().model().kind()).isNotNull();
    }
  }

  @Test
  void findsByName() {
    assertThat(Catalog.find("smollm2")).map(Function::name).contains(new FunctionName("smollm2"));
    assertThat(Catalog.manifest("minilm"))
        .hasValueSatisfying(text -> assertThat(text).startsWith("#"));
    assertThat(Catalog.find("../catalog/minilm")).isEmpty();
  }
}
