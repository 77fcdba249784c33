package dev.weft.bench.gateway;

import dev.weft.bench.report.PartRecorder;
import java.io.IOException;
import java.nio.file.Path;

/// One part of the run.
interface GatewayPart {
  String name();

  String title();

  void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException;

  /// What every part is given.
  ///
  /// @param seconds that each load lasts
  /// @param platform the directory that the platform's build writes to
  /// @param work for the platform's state and logs
  record Setting(int rounds, int seconds, Path platform, Path work) {}
}
