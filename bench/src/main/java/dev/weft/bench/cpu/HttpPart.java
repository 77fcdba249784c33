package dev.weft.bench.cpu;

import dev.weft.bench.load.LoadGenerator;
import dev.weft.bench.load.LoadGenerator.Load;
import dev.weft.bench.load.LoadGenerator.Result;
import dev.weft.bench.load.LoadGenerator.Times;
import dev.weft.bench.load.Target;
import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;

/// One to sixteen clients over HTTP: 128 tokens in, 64 out, streamed.
final class HttpPart implements Part {
  private static final List<Integer> CLIENTS = List.of(1, 4, 8, 16);
  private static final String TOGETHER = "all clients together, tok/s";
  private static final int PROMPT = 128;
  private static final int OUTPUT = 64;

  @Override
  public String name() {
    return "http";
  }

  @Override
  public String title() {
    return "Clients over HTTP";
  }

  @Override
  public void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException {
    for (ModelShape shape : setting.shapes(ModelShape.SMOLLM2_135M, ModelShape.LLAMA_1B)) {
      LoadGenerator generator = new LoadGenerator();
      try (Servers servers = Servers.start(setting, shape, new Servers.Room(16, 512))) {
        for (Target target : servers.targets().values()) {
          generator.run(target, new Load(2, 1, PROMPT, 16));
        }
        for (int round = 0; round < setting.rounds(); round++) {
          for (int clients : CLIENTS) {
            for (Map.Entry<String, Target> target : servers.targets().entrySet()) {
              Result result =
                  generator.run(
                      target.getValue(), new Load(clients, requests(shape), PROMPT, OUTPUT));
              record(recorder, label(shape, clients), target.getKey(), result);
            }
          }
        }
      }
      CLIENTS.forEach(clients -> judge(recorder, shape, clients));
    }
  }

  private static int requests(ModelShape shape) {
    return shape.equals(ModelShape.SMOLLM2_135M) ? 2 : 1;
  }

  private static String label(ModelShape shape, int clients) {
    return "%s, %d client%s".formatted(shape.name(), clients, clients == 1 ? "" : "s");
  }

  private static void record(PartRecorder recorder, String label, String subject, Result result) {
    recorder.add(label, TOGETHER, 1, subject, result.tokensPerSecond());
    times(recorder, label, "first token", 0, subject, result.firstToken());
    times(recorder, label, "between tokens", 1, subject, result.between());
  }

  private static void times(
      PartRecorder recorder, String label, String what, int digits, String subject, Times times) {
    recorder.add(label, what + " p50, ms", digits, subject, times.p50());
    recorder.add(label, what + " p95, ms", digits, subject, times.p95());
    recorder.add(label, what + " max, ms", digits, subject, times.max());
  }

  private static void judge(PartRecorder recorder, ModelShape shape, int clients) {
    String label = label(shape, clients);
    double weft =
        Math.max(
            recorder.median(label, TOGETHER, Contest.OWN).orElse(0),
            recorder.median(label, TOGETHER, Contest.SAME).orElse(0));
    for (String peer : List.of("llama.cpp", "ik_llama.cpp")) {
      OptionalDouble other = recorder.median(label, TOGETHER, peer);
      if (other.isEmpty()) {
        continue;
      }
      double ratio = weft / other.getAsDouble();
      String key = "3/%s/%d/%s".formatted(shape.name(), clients, peer);
      String what = "3. %s, together, against %s's server".formatted(label, peer);
      recorder.find(
          clients == 8 && peer.equals("llama.cpp")
              ? Finding.atLeast(key, what, ratio, 2.5, " x")
              : Finding.reported(key, what, Finding.text(ratio) + " x"));
    }
  }
}
