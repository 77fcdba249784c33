package dev.weft.bench.gpu;

import dev.weft.bench.report.PartRecorder;
import java.io.IOException;

/// One part of the run.
interface GpuPart {
  String name();

  String title();

  void run(GpuSetting setting, PartRecorder recorder) throws IOException, InterruptedException;
}
