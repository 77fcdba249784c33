package dev.weft.bench.gpu;

import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import java.util.List;

/// What the machine gives: everything else is a share of it.
final class CeilingsPart implements GpuPart {
  private static final String MEMORY = "memory of the device, TB/s";
  private static final String LINK = "between host and device, pinned, GB/s";
  private static final String DRIVER = "driver";
  private static final String KERNEL = "kernel";

  @Override
  public String name() {
    return "ceilings";
  }

  @Override
  public String title() {
    return "Ceilings";
  }

  @Override
  public void run(GpuSetting setting, PartRecorder recorder) {
    recorder.remark(
        "Reading is the best of 24 launches of a kernel that adds up 8 GiB, its sum checked.");
    recorder.remark("What products reach of it, and cuBLASLt, is in the part `products`.");
    for (int round = 0; round < setting.rounds(); round++) {
      var driver = setting.gpu().driver();
      add(recorder, "copy, read + written", MEMORY, 1e12, CopyCeiling.onDevice(driver));
      recorder.add("read", MEMORY, 2, KERNEL, setting.gpu().readCeiling() / 1e12);
      add(recorder, "host to device", LINK, 1e9, CopyCeiling.toDevice(driver));
      add(recorder, "device to host", LINK, 1e9, CopyCeiling.toHost(driver));
    }
    report(recorder, "read", "read", MEMORY, KERNEL, " TB/s");
    report(recorder, "copy", "copy, read + written", MEMORY, DRIVER, " TB/s");
    report(recorder, "link", "host to device", LINK, DRIVER, " GB/s");
  }

  private static void add(
      PartRecorder recorder, String label, String quantity, double unit, List<Double> rates) {
    rates.forEach(rate -> recorder.add(label, quantity, 2, DRIVER, rate / unit));
  }

  private static void report(
      PartRecorder recorder,
      String key,
      String label,
      String quantity,
      String subject,
      String unit) {
    double rate = recorder.median(label, quantity, subject).orElseThrow();
    recorder.find(
        Finding.reported(
            "ceilings/" + key, "ceiling: %s".formatted(label), Finding.text(rate) + unit));
  }
}
