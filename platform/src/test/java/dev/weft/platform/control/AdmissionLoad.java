package dev.weft.platform.control;

import dev.weft.autoscaler.admission.DeviceLoad;
import dev.weft.autoscaler.admission.InstanceLoad;
import dev.weft.autoscaler.admission.ShadowValidation;
import dev.weft.autoscaler.memory.KvWatermark;
import dev.weft.autoscaler.profile.MeasuredProfile;
import dev.weft.autoscaler.profile.StepTimes;
import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import java.util.ArrayList;
import java.util.List;

/// A busy device as its runtime sees it when a request comes: for each instance, sequences in the
/// batch and prompts that wait. The lists are made anew for every request, as the runtime does.
final class AdmissionLoad {
  /// A runtime's rules: KV memory grows by blocks.
  private static final ShadowValidation.Rules RULES =
      new ShadowValidation.Rules(new KvWatermark(0, 1), true, true);

  private static final int SEQUENCES = 4;
  private static final int PROMPTS = 1;
  private static final int TOKENS = 200;
  private static final long SECOND = 1_000_000_000;
  private static final long ROOM = 64L << 30;

  private static final StepTimes TIMES =
      new MeasuredProfile(
          new PerformanceTable(
              List.of(
                  new PrefillTime(64, 2), new PrefillTime(512, 10), new PrefillTime(4_096, 100)),
              List.of(row(64, 1), row(1_024, 2), row(8_192, 6))));

  private static DecodeRow row(int context, double millis) {
    return new DecodeRow(
        context,
        List.of(
            new DecodeTime(1, millis),
            new DecodeTime(4, millis * 1.2),
            new DecodeTime(16, millis * 2)));
  }

  private AdmissionLoad() {}

  /// Whether the device takes one more request.
  static boolean admits(int instances, long now) {
    List<InstanceLoad> loads = new ArrayList<>(instances);
    for (int i = 0; i < instances; i++) {
      loads.add(instance(now));
    }
    var request = new ShadowValidation.Request(TOKENS, 2L * TOKENS, now + 2 * SECOND);
    return ShadowValidation.decide(request, loads.getFirst(), new Device(loads, now), RULES, now)
        instanceof ShadowValidation.Fits;
  }

  private static InstanceLoad instance(long now) {
    long context = 0;
    long needed = 0;
    List<Waiting> prompts = new ArrayList<>();
    for (int i = 0; i < SEQUENCES; i++) {
      context += TOKENS;
      needed += 2L * TOKENS;
      if (i < PROMPTS) {
        prompts.add(new Waiting(now + SECOND, TOKENS));
      }
    }
    return new Load(SEQUENCES, context, needed, prompts);
  }

  private record Waiting(long deadline, int tokens) implements InstanceLoad.Prompt {}

  /// Not a record: two loads are never equal, they stand for their instances.
  private static final class Load implements InstanceLoad {
    private final int batch;
    private final long contextTokens;
    private final long neededTokens;
    private final List<Waiting> prompts;

    Load(int batch, long contextTokens, long neededTokens, List<Waiting> prompts) {
      this.batch = batch;
      this.contextTokens = contextTokens;
      this.neededTokens = neededTokens;
      this.prompts = List.copyOf(prompts);
    }

    @Override
    public StepTimes times() {
      return TIMES;
    }

    @Override
    public long tokenNanos() {
      return SECOND / 4;
    }

    @Override
    public int batch() {
      return batch;
    }

    @Override
    public long contextTokens() {
      return contextTokens;
    }

    @Override
    public long neededTokens() {
      return neededTokens;
    }

    @Override
    public long plannedTokens() {
      return neededTokens;
    }

    @Override
    public long bytesPerToken() {
      return 1 << 17;
    }

    @Override
    public long unplannedBytes() {
      return 0;
    }

    @Override
    public List<Waiting> prompts() {
      return prompts;
    }

    @Override
    public long readyAt() {
      return Long.MIN_VALUE;
    }
  }

  private record Device(List<InstanceLoad> instances, long freeAt) implements DeviceLoad {
    @Override
    public long roomBytes() {
      return ROOM;
    }

    @Override
    public long idleBytesBeside(InstanceLoad instance) {
      return 0;
    }

    @Override
    public boolean growsKv() {
      return true;
    }
  }
}
