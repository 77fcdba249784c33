package dev.weft.runtime.engine;

import dev.weft.autoscaler.admission.DeviceLoad;
import dev.weft.autoscaler.admission.InstanceLoad;
import dev.weft.autoscaler.admission.ShadowValidation;
import dev.weft.autoscaler.admission.ShadowValidation.Refused;
import dev.weft.autoscaler.memory.KvWatermark;
import dev.weft.autoscaler.profile.StepTimes;
import dev.weft.functions.instance.ControlApi;
import dev.weft.runtime.backend.KvLayout;
import dev.weft.runtime.engine.Engine.Submission.Rejected;
import dev.weft.runtime.memory.BlockSupply;
import dev.weft.runtime.scheduling.KvBlocks;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Whether one more request of a decoder leaves all promises of its device kept, decided between
/// two steps on the numbers as they are. Used by the device's thread.
final class InTime {
  /// KV memory grows by blocks as it is needed: there is nothing to have ready beyond that.
  private static final ShadowValidation.Rules RULES =
      new ShadowValidation.Rules(new KvWatermark(0, 1), true, true);

  private final Work instance;
  private final Deadlines deadlines;
  private final Kv kv;
  private final EngineObserver observer;
  private final DeviceThread device;

  /// The decoder's KV memory, and where more of it comes from.
  record Kv(KvBlocks blocks, KvLayout layout, BlockSupply supply) {
    long plannedTokens() {
      return (long) blocks.capacity() * layout.blockTokens();
    }

    long bytesPerToken() {
      return Math.max(1, layout.blockBytes() / layout.blockTokens());
    }

    /// All that it could have, were its neighbours idle.
    long mostBytes() {
      return Math.max(blocks.capacity(), supply.reachable()) * layout.blockBytes();
    }

    /// What it could get in addition, that of idle neighbours included.
    long roomBytes() {
      return Math.max(0, supply.reachable() - blocks.capacity()) * layout.blockBytes();
    }
  }

  InTime(Work instance, Deadlines deadlines, Kv kv, EngineObserver observer, DeviceThread device) {
    this.instance = instance;
    this.deadlines = deadlines;
    this.kv = kv;
    this.observer = observer;
    this.device = device;
  }

  /// What the generations have to do and hold.
  Demand demand(StepTimes times, Collection<Generation> generations) {
    long context = 0;
    long needed = 0;
    long dueAt = Long.MAX_VALUE;
    List<Demand.Prompt> waiting = new ArrayList<>();
    for (Generation generation : generations) {
      int length = generation.sequence().length();
      context += length;
      needed += deadlines.needed(generation);
      if (generation.sequence().decoding()) {
        dueAt = Math.min(dueAt, deadlines.due(generation));
      } else {
        int left = length - generation.sequence().computed();
        waiting.add(new Demand.Prompt(deadlines.due(generation), left, generation.firstToken()));
      }
    }
    return new Demand(
        times,
        deadlines.tokenNanos(),
        new Demand.Sequences(generations.size(), context, needed, dueAt, waiting),
        new Demand.Kv(kv.plannedTokens(), kv.bytesPerToken()));
  }

  /// Why a generation that is not among those of the instance would break a promise. Nothing is
  /// known while it has not been measured how long steps take.
  Optional<Rejected> refusal(Generation generation) {
    InstanceLoad own = instance.demand().orElse(null);
    if (own == null) {
      return Optional.empty();
    }
    long now = device.nanoTime();
    var request =
        new ShadowValidation.Request(
            generation.sequence().length(),
            deadlines.needed(generation),
            deadlines.due(generation));
    var load = new Device(device.demands(instance, own), kv.roomBytes(), now);
    if (!(ShadowValidation.decide(request, own, load, RULES, now) instanceof Refused refused)) {
      return Optional.empty();
    }
    observer.onNotAdmitted(generation.entrance().revision(), refused.code());
    Map<String, Double> values = new HashMap<>(refused.values());
    long alone = ShadowValidation.lateAloneNanos(request, own, now);
    if (alone > 0) {
      values.put(ControlApi.LATE_ALONE, alone / 1e9);
    }
    return Optional.of(new Rejected(code(refused), refused.describe(), values));
  }

  private static Rejected.Code code(Refused refused) {
    return switch (refused.code()) {
      case MEMORY, CANNOT_GROW -> Rejected.Code.NOT_IN_TIME_MEMORY;
      case DECODE_SHARE -> Rejected.Code.NOT_IN_TIME_DECODE_SHARE;
      case PROMPTS -> Rejected.Code.NOT_IN_TIME_PROMPTS;
    };
  }

  /// The device between two steps.
  ///
  /// @param roomBytes that the instance in question could get
  private record Device(List<InstanceLoad> instances, long roomBytes, long freeAt)
      implements DeviceLoad {
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
