package dev.weft.runtime.cpu;

import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.ReferenceBackend;
import dev.weft.runtime.foreign.NativeException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Opens the backend of a CPU device.
public final class CpuBackends {
  private static final Logger log = LoggerFactory.getLogger(CpuBackends.class);

  private CpuBackends() {}

  /// The native backend; where it cannot run, the plain Java one, which says so in the log and in
  /// its name: right, and very slow.
  public static Backend open(CpuOptions options) {
    try {
      return new CpuBackend(options);
    } catch (NativeException e) {
      log.atWarn()
          .addKeyValue("reason", e.getMessage())
          .log("no native kernels: models run in plain Java, many times slower");
      return new ReferenceBackend(options.threads());
    }
  }
}
