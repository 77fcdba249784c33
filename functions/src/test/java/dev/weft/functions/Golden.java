package dev.weft.functions;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Files that are generated and committed.
final class Golden {
  private Golden() {}

  /// Checks that `file` has what was generated; with `-Dgolden.update` it is written first.
  ///
  /// @param test the class that does so
  static void assertCurrent(Path file, String generated, Class<?> test) throws IOException {
    if (System.getProperty("golden.update") != null) {
      Files.createDirectories(file.getParent());
      Files.writeString(file, generated);
    }
    assertThat(file)
        .as(
            "rewrite with: ./weft mvn -pl functions -Dtest=%s -Dgolden.update test"
                .formatted(test.getSimpleName()))
        .exists()
        .content()
        .isEqualTo(generated);
  }
}
