package dev.weft.platform.cluster;

import dev.weft.platform.config.WeftConfig;
import dev.weft.platform.state.DatabaseFunctionStore;
import dev.weft.platform.state.DatabaseKeyStore;
import dev.weft.platform.state.FunctionStore;
import dev.weft.platform.state.KeyStore;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;

/// Where functions and keys are kept: this is all that a cluster's controller and a machine's have
/// apart, beside who starts runtimes.
final class StateOfRecord {
  private StateOfRecord() {}

  @Produces
  @Singleton
  static FunctionStore functions(
      WeftConfig config, DatabaseFunctionStore database, KubernetesFunctionStore cluster) {
    return config.cluster().enabled() ? cluster : database;
  }

  @Produces
  @Singleton
  static KeyStore keys(WeftConfig config, DatabaseKeyStore database, KubernetesKeyStore cluster) {
    return config.cluster().enabled() ? cluster : database;
  }
}
