package dev.weft.bench.cpu;

import dev.weft.bench.load.LoadGenerator;
import dev.weft.bench.load.LoadGenerator.Load;
import dev.weft.bench.load.Target;
import dev.weft.bench.load.WeftRuntime;
import dev.weft.bench.models.ModelShape;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import dev.weft.bench.system.ProcessUse;
import dev.weft.bench.system.ProcessUse.Resident;
import java.io.IOException;
import java.util.Map;

/// What a runtime takes beside its model: resident memory after a load of eight clients, and the
/// virtual machine's processor time for each token.
final class FootprintPart implements Part {
  private static final int CLIENTS = 8;
  private static final int OUTPUT = 64;
  private static final double MIB = 1 << 20;

  @Override
  public String name() {
    return "footprint";
  }

  @Override
  public String title() {
    return "Memory and the virtual machine";
  }

  @Override
  public void run(Setting setting, PartRecorder recorder) throws IOException, InterruptedException {
    recorder.remark(
        "KV memory is what is resident of shared memory (its chunks); *beside the model* is all"
            + " that is resident less weights and KV: heap, code, tokenizer, buffers.");
    for (ModelShape shape : setting.shapes(ModelShape.SMOLLM2_135M, ModelShape.LLAMA_1B)) {
      LoadGenerator generator = new LoadGenerator();
      try (Servers servers = Servers.start(setting, shape, new Servers.Room(CLIENTS, 512))) {
        for (Target target : servers.targets().values()) {
          generator.run(target, new Load(CLIENTS, 1, 128, OUTPUT));
        }
        for (int round = 0; round < setting.rounds(); round++) {
          for (Map.Entry<String, Target> target : servers.targets().entrySet()) {
            measure(recorder, shape, servers, target.getKey(), target.getValue(), generator);
          }
        }
      }
      judge(recorder, shape, Contest.OWN);
      judge(recorder, shape, Contest.SAME);
    }
  }

  private static void measure(
      PartRecorder recorder,
      ModelShape shape,
      Servers servers,
      String subject,
      Target target,
      LoadGenerator generator)
      throws IOException, InterruptedException {
    ProcessHandle process = servers.server(subject).process();
    double allBefore = ProcessUse.seconds(process);
    double computingBefore = ProcessUse.computingSeconds(process.pid());
    generator.run(target, new Load(CLIENTS, 1, 128, OUTPUT));
    double tokens = CLIENTS * OUTPUT;
    double all = ProcessUse.seconds(process) - allBefore;
    recorder.add(shape.name(), "processor time, ms a token", 2, subject, 1e3 * all / tokens);
    Resident resident = ProcessUse.resident(process.pid());
    recorder.add(shape.name(), "resident, MiB", 0, subject, resident.total() / MIB);
    if (servers.server(subject) instanceof WeftRuntime runtime) {
      double machine = all - (ProcessUse.computingSeconds(process.pid()) - computingBefore);
      recorder.add(
          shape.name(),
          "of that outside the device's threads, ms a token",
          3,
          subject,
          1e3 * Math.max(0, machine) / tokens);
      weights(recorder, shape, subject, runtime, resident);
    }
  }

  private static void weights(
      PartRecorder recorder,
      ModelShape shape,
      String subject,
      WeftRuntime runtime,
      Resident resident)
      throws IOException, InterruptedException {
    double weights = runtime.status().instances().getFirst().weightBytes() / MIB;
    double beside = resident.total() / MIB - weights - resident.shared() / MIB;
    recorder.add(shape.name(), "weights, MiB", 0, subject, weights);
    recorder.add(shape.name(), "KV, MiB", 0, subject, resident.shared() / MIB);
    recorder.add(shape.name(), "beside the model, MiB", 0, subject, beside);
  }

  private static void judge(PartRecorder recorder, ModelShape shape, String subject) {
    recorder
        .median(shape.name(), "beside the model, MiB", subject)
        .ifPresent(mib ->
            recorder.find(
                Finding.atMost(
                    "9/%s/%s".formatted(shape.name(), subject),
                    "9. %s, %s: resident beside weights and KV, tokenizer included"
                        .formatted(shape.name(), subject),
                    mib,
                    250,
                    " MiB")));
    recorder
        .median(shape.name(), "of that outside the device's threads, ms a token", subject)
        .ifPresent(millis ->
            recorder.find(
                Finding.reported(
                    "9/%s/%s/jvm".formatted(shape.name(), subject),
                    "9. %s, %s: processor time of the virtual machine a token"
                        .formatted(shape.name(), subject),
                    Finding.text(millis) + " ms")));
  }
}
