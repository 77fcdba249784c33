package dev.weft.bench.cpu;

import dev.weft.bench.report.PartRecorder;
import java.io.IOException;

/// One part of the run.
interface Part {
  String name();

  String title();

  void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException;
}
