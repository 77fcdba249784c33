package dev.weft.platform;

import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.config.WeftHome;
import dev.weft.platform.control.FunctionController;
import dev.weft.platform.control.RuntimeSupervision;
import dev.weft.platform.gateway.activator.Activator;
import dev.weft.platform.management.FunctionService;
import dev.weft.platform.management.KeyService;
import dev.weft.platform.state.InvocationJournal;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;

/// The order in which the parts come up and go down.
@Singleton
public final class PlatformLifecycle {
  private final WeftConfig config;
  private final KeyService keys;
  private final FunctionService functions;
  private final InvocationJournal journal;
  private final FunctionController controller;
  private final RuntimeSupervision runtimes;
  private final Activator activator;

  public PlatformLifecycle(
      WeftConfig config,
      KeyService keys,
      FunctionService functions,
      InvocationJournal journal,
      FunctionController controller,
      RuntimeSupervision runtimes,
      Activator activator) {
    this.config = config;
    this.keys = keys;
    this.functions = functions;
    this.journal = journal;
    this.controller = controller;
    this.runtimes = runtimes;
    this.activator = activator;
  }

  /// The database has been migrated by now, and HTTP is not yet open.
  void onStart(@Observes StartupEvent event) {
    new WeftHome(config.home()).prepare();
    keys.open();
    functions.open();
    journal.open();
    controller.start();
    runtimes.start();
  }

  /// Requests that run are finished by the runtimes' drain, so their connections are still open.
  void onStop(@Observes ShutdownEvent event) {
    activator.close();
    controller.stop();
    try {
      runtimes.stop();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    journal.close();
  }
}
