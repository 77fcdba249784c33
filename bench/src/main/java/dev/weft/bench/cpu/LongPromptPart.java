package dev.weft.bench.cpu;

import dev.weft.bench.load.LoadGenerator;
import dev.weft.bench.load.LoadGenerator.Interference;
import dev.weft.bench.load.LoadGenerator.Load;
import dev.weft.bench.load.Target;
import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;

/// A prompt of 4,000 tokens arrives among four streams: how long do they stand still?
final class LongPromptPart implements Part {
  private static final String GAP = "longest wait of a stream, ms";
  private static final int STREAMS = 4;
  private static final int PROMPT = 4000;
  private static final double TARGET_MILLIS = 200;

  @Override
  public String name() {
    return "long-prompt";
  }

  @Override
  public String title() {
    return "A long prompt among streams";
  }

  @Override
  public void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException {
    recorder.remark("Peers are measured in the first round alone: each takes up to a minute.");
    for (ModelShape shape : setting.shapes(ModelShape.SMOLLM2_135M, ModelShape.LLAMA_1B)) {
      LoadGenerator generator = new LoadGenerator();
      String label = shape.name();
      try (Servers servers = Servers.start(setting, shape, new Servers.Room(STREAMS + 1, 4608))) {
        for (int round = 0; round < setting.rounds(); round++) {
          for (Map.Entry<String, Target> target : servers.targets().entrySet()) {
            if (round > 0 && !target.getKey().startsWith("weft")) {
              continue;
            }
            if (round == 0) {
              generator.run(target.getValue(), new Load(1, 1, 128, 8));
            }
            Interference result = generator.interfere(target.getValue(), STREAMS, PROMPT);
            recorder.add(label, GAP, 0, target.getKey(), result.largestGapMillis());
            recorder.add(
                label,
                "first token of the long prompt, ms",
                0,
                target.getKey(),
                result.firstMillis());
          }
        }
      }
      for (String subject : List.of(Contest.OWN, Contest.SAME)) {
        OptionalDouble gap = recorder.median(label, GAP, subject);
        gap.ifPresent(millis ->
            recorder.find(
                Finding.atMost(
                    "3/%s/long/%s".formatted(shape.name(), subject),
                    "3. %s, %s: longest wait of four streams while a prompt of 4,000 comes"
                        .formatted(label, subject),
                    millis,
                    TARGET_MILLIS,
                    " ms")));
      }
    }
  }
}
