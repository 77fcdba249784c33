package dev.weft.platform.config;

import io.quarkus.runtime.ApplicationConfig;
import jakarta.inject.Singleton;

/// The version of this build.
@Singleton
public final class BuildVersion {
  private final String version;

  public BuildVersion(ApplicationConfig application) {
    this.version = application.version().orElse("unknown");
  }

  public String version() {
    return version;
  }
}
