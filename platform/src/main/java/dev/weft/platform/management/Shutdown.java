package dev.weft.platform.management;

import dev.weft.platform.config.BuildVersion;
import io.quarkus.runtime.Quarkus;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.Instant;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Ends the platform on request. What is drained and stopped then is the same as at Ctrl-C.
@Singleton
public final class Shutdown {
  private static final Logger LOG = LoggerFactory.getLogger(Shutdown.class);

  /// Long enough for the answer to reach the caller.
  private static final Duration PAUSE = Duration.ofMillis(100);

  private final BuildVersion build;

  public Shutdown(BuildVersion build) {
    this.build = build;
  }

  void begin() {
    LOG.atInfo().log("asked to shut down");
    Thread.ofPlatform()
        .name("shutdown")
        .start(() -> {
          try {
            Thread.sleep(PAUSE);
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
          Quarkus.asyncExit(0);
        });
  }

  ManagementApi.Version version() {
    ProcessHandle self = ProcessHandle.current();
    return new ManagementApi.Version(
        build.version(),
        self.pid(),
        self.info().startInstant().orElse(Instant.EPOCH),
        System.getProperty("java.version"));
  }
}
