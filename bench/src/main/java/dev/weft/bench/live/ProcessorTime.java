package dev.weft.bench.live;

import dev.weft.bench.load.LivePlatform;
import dev.weft.bench.system.ProcessUse;
import java.io.IOException;
import java.util.List;

/// Seconds of processors, by who had them.
///
/// @param devices the threads that compute, of all runtimes
/// @param runtimes their other threads: requests, collections, compilers
/// @param callers this process
record ProcessorTime(double devices, double runtimes, double platform, double callers) {
  /// Since the processes began.
  static ProcessorTime of(LivePlatform platform) throws IOException {
    List<ProcessHandle> runtimes = platform.runtimes();
    double computing = 0;
    double all = 0;
    for (ProcessHandle runtime : runtimes) {
      computing += ProcessUse.computingSeconds(runtime.pid());
      all += ProcessUse.seconds(runtime);
    }
    return new ProcessorTime(
        computing,
        all - computing,
        ProcessUse.seconds(platform.process()),
        ProcessUse.seconds(ProcessHandle.current()));
  }

  ProcessorTime since(ProcessorTime before) {
    return new ProcessorTime(
        devices - before.devices,
        runtimes - before.runtimes,
        platform - before.platform,
        callers - before.callers);
  }
}
