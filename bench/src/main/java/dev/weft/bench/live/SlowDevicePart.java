package dev.weft.bench.live;

import dev.weft.autoscaler.simulation.Served;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.bench.load.DeviceControl;
import dev.weft.bench.load.LivePlatform;
import dev.weft.bench.load.Slowdown;
import dev.weft.bench.load.Target;
import dev.weft.bench.report.Finding;
import dev.weft.bench.report.PartRecorder;
import dev.weft.functions.instance.InstanceStatus;
import dev.weft.functions.instance.PerformanceTable;
import java.io.IOException;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/// Replays the same calls while one of the devices is as fast as its profile says, three times
/// slower, and as fast again. Profiles follow what they see, so that each replay is done twice: the
/// first time they are wrong.
final class SlowDevicePart {
  private static final double SLOWER = 3;
  private static final double KEPT_PERCENT = 90;

  private static final String FAST = "1. as fast as its profile";
  private static final String SLOW_AT_FIRST = "2. three times slower, at first";
  private static final String SLOW_THEN = "3. three times slower, profile known";
  private static final String FAST_AT_FIRST = "4. fast again, at first";
  private static final String FAST_THEN = "5. fast again, profile known";

  private static final String KEPT = "of answers that began in time, kept to the end, percent";
  private static final String MET = "requests met, percent";
  private static final String BEGUN = "began in time, percent";
  private static final String STEP = "a token of one sequence, by the device's own profile, ms";
  private static final String WEFT = "live";

  private final Replays replays;
  private final List<LiveFunction> functions;

  SlowDevicePart(Replays replays, List<LiveFunction> functions) {
    this.replays = replays;
    this.functions = functions;
  }

  void run(PartRecorder recorder) throws IOException, InterruptedException {
    recorder.remark(
        "The slower device's process is stopped for two thirds of the time, in periods of %d ms."
            .formatted(Slowdown.PERIOD_MILLIS));
    List<Trace> rounds = replays.rounds();
    Trace rehearsal = rounds.removeLast();
    for (Trace calls : rounds) {
      try (LivePlatform platform = replays.start(false)) {
        Target target = platform.target();
        for (LiveFunction function : functions) {
          platform.deploy(function.name(), function.manifest());
        }
        List<DeviceControl> devices = platform.devices();
        DeviceControl slow = devices.getLast();
        replays.warmUp(platform, target, rehearsal);
        Replays.empty(platform);
        Round round = new Round(platform, target, slow, recorder);
        round.replay(FAST, calls);
        try (Slowdown _ = platform.slowDown(slow.name(), SLOWER)) {
          round.replay(SLOW_AT_FIRST, calls);
          round.replay(SLOW_THEN, calls);
        }
        round.replay(FAST_AT_FIRST, calls);
        round.replay(FAST_THEN, calls);
        devices.forEach(DeviceControl::close);
      }
    }
    for (String label : List.of(FAST, SLOW_THEN, FAST_THEN)) {
      recorder.find(
          Finding.atLeast(
              "slow/" + label.charAt(0),
              label + ": of answers that began in time, kept to the end",
              recorder.median(label, KEPT, WEFT).orElseThrow(),
              KEPT_PERCENT,
              " %"));
    }
  }

  /// Replays on one platform.
  private final class Round {
    private final LivePlatform platform;
    private final Target target;
    private final DeviceControl slow;
    private final PartRecorder recorder;

    Round(LivePlatform platform, Target target, DeviceControl slow, PartRecorder recorder) {
      this.platform = platform;
      this.target = target;
      this.slow = slow;
      this.recorder = recorder;
    }

    void replay(String label, Trace calls) throws IOException, InterruptedException {
      List<Replay.Outcome> outcomes = replays.watched(platform, target, calls).outcomes();
      double begun = outcomes.stream().filter(SlowDevicePart::begun).count();
      double met = outcomes.stream().filter(outcome -> outcome.met(true)).count();
      recorder.add(label, MET, 0, WEFT, 100 * met / outcomes.size());
      recorder.add(label, BEGUN, 0, WEFT, 100 * begun / outcomes.size());
      recorder.add(label, KEPT, 0, WEFT, 100 * met / Math.max(1, begun));
      Optional<Double> step = stepMillis(slow.status().instances());
      if (step.isPresent()) {
        recorder.add(label, STEP, 1, WEFT, step.get());
      }
    }
  }

  private static boolean begun(Replay.Outcome outcome) {
    return outcome.error() == null
        && !outcome.hungUp()
        && outcome.served().firstAt() != Served.NEVER;
  }

  /// Of the largest model that it has.
  private static Optional<Double> stepMillis(List<InstanceStatus> instances) {
    return instances.stream()
        .filter(instance -> instance.profile() != null)
        .max(Comparator.comparingLong(InstanceStatus::weightBytes))
        .map(InstanceStatus::profile)
        .map(SlowDevicePart::oneSequence);
  }

  private static double oneSequence(PerformanceTable profile) {
    return profile.decode().getFirst().times().getFirst().millis();
  }
}
