package dev.weft.platform.state;

import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.config.WeftHome;
import io.quarkus.arc.Unremovable;
import io.quarkus.credentials.CredentialsProvider;
import jakarta.inject.Singleton;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/// Who the platform is at PostgreSQL. The password is read for each connection, so that one that
/// was changed counts from the next.
@Singleton
@Unremovable
public final class DatabaseCredentials implements CredentialsProvider {
  private final WeftConfig.Database config;

  public DatabaseCredentials(WeftConfig config) {
    this.config = config.database();
  }

  @Override
  public Map<String, String> getCredentials(String credentialsProviderName) {
    Map<String, String> credentials = new HashMap<>();
    credentials.put(USER_PROPERTY_NAME, config.username());
    config.passwordFile().ifPresent(file -> credentials.put(PASSWORD_PROPERTY_NAME, read(file)));
    return credentials;
  }

  private static String read(Path file) {
    return WeftHome.read(file)
        .orElseThrow(() ->
            new UncheckedIOException(
                "there is no file with its password", new NoSuchFileException(file.toString())))
        .strip();
  }
}
