package dev.weft.platform.following;

import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.state.InvocationJournal;
import dev.weft.platform.telemetry.InvocationSink;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;

/// Where finished invocations go: into the database, or on their way to the process that has one.
final class Invocations {
  private Invocations() {}

  @Produces
  @Singleton
  static InvocationSink sink(WeftConfig config, InvocationJournal journal, InvocationSpool spool) {
    return config.role().controller() ? journal : spool;
  }
}
