package dev.weft.bench.cpu;

import dev.weft.bench.Peer;
import dev.weft.bench.load.BenchServer;
import dev.weft.bench.load.LlamaServer;
import dev.weft.bench.load.LoadGenerator;
import dev.weft.bench.load.Target;
import dev.weft.bench.load.WeftRuntime;
import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import dev.weft.bench.system.PageCache;
import dev.weft.functions.Quantization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// From nothing to the first token of a streamed answer.
final class StartPart implements Part {
  private static final String STOPPED = "from a stopped process, s";
  private static final String UNLOADED = "from an unloaded function, s";
  private static final String COLD = "page cache dropped, ";
  private static final String WEFT = "weft";
  private static final int PROMPT = 32;

  private final LoadGenerator generator = new LoadGenerator();

  @Override
  public String name() {
    return "start";
  }

  @Override
  public String title() {
    return "First token";
  }

  @Override
  public void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException {
    recorder.remark("Dropping the page cache drops %s.".formatted(PageCache.method()));
    recorder.remark(
        "Weft has loaded each model once before: its packed weights lie on disk, as they do after a"
            + " function's first load.");
    for (ModelShape shape : setting.shapes(ModelShape.SMOLLM2_135M, ModelShape.LLAMA_1B)) {
      Path file = Servers.bits(shape).file(setting.models(), shape);
      Path home = Files.createDirectories(setting.work().resolve("start"));
      WeftRuntime.Function function =
          new WeftRuntime.Function("model", file, Quantization.AUTO, 2048);
      try (WeftRuntime runtime = weft(setting, home, function)) {
        generator.one(runtime.target(), PROMPT, 2);
      }
      for (int round = 0; round < setting.rounds(); round++) {
        for (boolean cold : new boolean[] {false, true}) {
          weft(setting, recorder, shape, function, cold, List.of(file, home));
          for (Peer peer : setting.peers()) {
            if (cold) {
              PageCache.drop(List.of(file));
            }
            measure(
                recorder,
                shape.name(),
                (cold ? COLD : "") + STOPPED,
                peer.name(),
                () -> peer(setting, peer, file));
          }
        }
      }
      judge(recorder, shape);
    }
  }

  /// Once from a stopped runtime and once more, in the same runtime, from an unloaded function.
  private void weft(
      Setting setting,
      PartRecorder recorder,
      ModelShape shape,
      WeftRuntime.Function function,
      boolean cold,
      List<Path> files)
      throws IOException, InterruptedException {
    if (cold) {
      PageCache.drop(files);
    }
    String prefix = cold ? COLD : "";
    Path home = setting.work().resolve("start");
    long start = System.nanoTime();
    try (WeftRuntime runtime = weft(setting, home, function)) {
      Target target = runtime.target();
      record(recorder, shape.name(), prefix + STOPPED, WEFT, start, target);
      runtime.unload(function);
      if (cold) {
        PageCache.drop(files);
      }
      long again = System.nanoTime();
      runtime.load(function);
      record(recorder, shape.name(), prefix + UNLOADED, WEFT, again, target);
    }
  }

  private interface Opener {
    BenchServer open() throws IOException;
  }

  private void measure(
      PartRecorder recorder, String label, String quantity, String subject, Opener opener)
      throws IOException, InterruptedException {
    long start = System.nanoTime();
    try (BenchServer server = opener.open()) {
      record(recorder, label, quantity, subject, start, server.target());
    }
  }

  private void record(
      PartRecorder recorder,
      String label,
      String quantity,
      String subject,
      long start,
      Target target) {
    long first = generator.one(target, PROMPT, 2).pieceNanos()[0];
    recorder.add(label, quantity, 2, subject, (first - start) / 1e9);
  }

  private static WeftRuntime weft(Setting setting, Path home, WeftRuntime.Function function)
      throws IOException {
    return WeftRuntime.start(
        new WeftRuntime.Options(
            setting.requireRuntime(),
            home,
            setting.threads(),
            Optional.empty(),
            List.of(function),
            setting.work().resolve("weft-start.log")));
  }

  private static LlamaServer peer(Setting setting, Peer peer, Path file) throws IOException {
    return LlamaServer.start(
        peer,
        new LlamaServer.Options(
            file, setting.threads(), 1, 2048, setting.work().resolve(peer.name() + ".log")));
  }

  private static void judge(PartRecorder recorder, ModelShape shape) {
    double target = shape.equals(ModelShape.SMOLLM2_135M) ? 0.2 : 0.4;
    String key = "5/%s/".formatted(shape.name());
    recorder
        .median(shape.name(), UNLOADED, WEFT)
        .ifPresent(seconds ->
            recorder.find(
                Finding.atMost(
                    key + "unloaded",
                    "5. first token, %s, unloaded, warm page cache".formatted(shape.name()),
                    seconds,
                    target,
                    " s")));
    for (String prefix : List.of("", COLD)) {
      for (String quantity : List.of(STOPPED, UNLOADED)) {
        recorder
            .median(shape.name(), prefix + quantity, WEFT)
            .ifPresent(seconds ->
                recorder.find(
                    Finding.reported(
                        key + prefix + quantity,
                        "5. first token, %s, %s".formatted(shape.name(), prefix + quantity),
                        Finding.text(seconds) + " s")));
      }
    }
  }
}
