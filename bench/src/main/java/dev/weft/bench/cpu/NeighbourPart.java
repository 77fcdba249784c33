package dev.weft.bench.cpu;

import dev.weft.bench.Confinement;
import dev.weft.bench.Peer;
import dev.weft.bench.engine.LlamaBench;
import dev.weft.bench.engine.WeftEngine;
import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import dev.weft.bench.system.CpuQuota;
import dev.weft.functions.Quantization;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/// Decode while somebody else wants a core, and within a quota, as containers have.
final class NeighbourPart implements Part {
  private static final String SPEED = "decode of llama-3.2-1b in 4 bits, tok/s";
  private static final String ALONE = "alone";
  private static final String BUSY = "one busy neighbour";
  private static final int TOKENS = 32;
  private static final double SPARED = 0.5;

  @Override
  public String name() {
    return "neighbour";
  }

  @Override
  public String title() {
    return "A busy neighbour, and a quota";
  }

  @Override
  public void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException {
    double processors = setting.threads() - SPARED;
    String quotaLabel = "a quota of %s processors".formatted(processors);
    Path file = Bits.FOUR.file(setting.models(), ModelShape.LLAMA_1B);
    try (WeftEngine weft = open(file, setting.threads(), Confinement.NONE)) {
      for (int round = 0; round < setting.rounds(); round++) {
        measure(setting, recorder, ALONE, weft, file, Confinement.NONE);
        Process neighbour = new ProcessBuilder("sh", "-c", "while :; do :; done").start();
        try {
          measure(setting, recorder, BUSY, weft, file, Confinement.NONE);
        } finally {
          neighbour.destroyForcibly();
        }
      }
    }
    quota(setting, recorder, quotaLabel, file, processors);
    loss(recorder, BUSY, "7/neighbour/", "7. loss to one busy neighbour");
    loss(recorder, quotaLabel, "7/quota/", "7. loss to " + quotaLabel);
  }

  /// In the group a process finds out by itself how many threads it should use, as it does in a
  /// container; peers are told to use all cores, as they do by default.
  private static void quota(
      Setting setting, PartRecorder recorder, String label, Path file, double processors)
      throws IOException, InterruptedException {
    Optional<CpuQuota> found = CpuQuota.tryOpen(processors);
    if (found.isEmpty()) {
      recorder.find(
          Finding.notMeasured(
              "7/quota", "7. " + label, "control groups cannot be made here", "no collapse"));
      return;
    }
    try (CpuQuota quota = found.get();
        WeftEngine weft = open(file, 0, quota)) {
      recorder.remark("Within the quota Weft ran as %s.".formatted(weft.backend()));
      for (int round = 0; round < setting.rounds(); round++) {
        measure(setting, recorder, label, weft, file, quota);
      }
    }
  }

  private static WeftEngine open(Path file, int threads, Confinement within) throws IOException {
    return WeftEngine.open(new WeftEngine.Options(file, Quantization.NONE, threads, 1, within))
        .orElseThrow();
  }

  private static void measure(
      Setting setting,
      PartRecorder recorder,
      String label,
      WeftEngine weft,
      Path file,
      Confinement within)
      throws IOException, InterruptedException {
    recorder.add(label, SPEED, 1, Contest.SAME, weft.decode(TOKENS));
    for (Peer peer : setting.peers()) {
      LlamaBench.Amount amount = new LlamaBench.Amount(0, TOKENS);
      recorder.add(
          label,
          SPEED,
          1,
          peer.name(),
          LlamaBench.run(peer, file, setting.threads(), amount, within).decode());
    }
  }

  private static void loss(PartRecorder recorder, String label, String key, String what) {
    List<String> subjects = new ArrayList<>(List.of(Contest.SAME, "llama.cpp", "ik_llama.cpp"));
    for (String subject : subjects) {
      OptionalDouble alone = recorder.median(ALONE, SPEED, subject);
      OptionalDouble shared = recorder.median(label, SPEED, subject);
      if (alone.isEmpty() || shared.isEmpty()) {
        continue;
      }
      double percent = 100 * (1 - shared.getAsDouble() / alone.getAsDouble());
      recorder.find(
          subject.equals(Contest.SAME)
              ? Finding.atMost(key + "weft", what + ", weft", percent, 50, " %")
              : Finding.reported(
                  key + subject, what + ", " + subject, Finding.text(percent) + " %"));
    }
  }
}
