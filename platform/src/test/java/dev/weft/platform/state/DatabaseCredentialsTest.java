package dev.weft.platform.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.weft.platform.config.WeftConfig;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatabaseCredentialsTest {
  @TempDir Path directory;

  private DatabaseCredentials credentials(Map<String, String> settings) {
    return new DatabaseCredentials(
        new SmallRyeConfigBuilder()
            .addDiscoveredConverters()
            .withMapping(WeftConfig.class)
            .withSources(
                new PropertiesConfigSource(Map.of("weft.home", directory.toString()), "home", 100))
            .withSources(new PropertiesConfigSource(settings, "test", 200))
            .build()
            .getConfigMapping(WeftConfig.class));
  }

  @Test
  void aPasswordThatWasChangedCountsForTheNextConnection() throws IOException {
    Path file = Files.writeString(directory.resolve("password"), "old\n");
    DatabaseCredentials credentials =
        credentials(
            Map.of("weft.database.username", "me", "weft.database.password-file", file.toString()));
    assertThat(credentials.getCredentials("weft"))
        .isEqualTo(Map.of("user", "me", "password", "old"));
    Files.writeString(file, "new");
    assertThat(credentials.getCredentials("weft")).containsEntry("password", "new");
    Files.delete(file);
    assertThatExceptionOfType(UncheckedIOException.class)
        .isThrownBy(() -> credentials.getCredentials("weft"))
        .withMessageContaining("password");
  }

  @Test
  void withoutAFileThereIsNoPassword() {
    assertThat(credentials(Map.of()).getCredentials("weft")).isEqualTo(Map.of("user", "weft"));
  }
}
