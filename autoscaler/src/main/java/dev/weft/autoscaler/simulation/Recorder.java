package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.admission.ShadowValidation.Code;
import dev.weft.autoscaler.scheduling.TokenTarget;
import dev.weft.autoscaler.simulation.SimulationResult.FunctionShare;
import dev.weft.autoscaler.simulation.SimulationResult.Minute;
import dev.weft.autoscaler.simulation.SimulationResult.Sample;
import dev.weft.autoscaler.simulation.SimulationResult.Waits;
import dev.weft.functions.DeviceClass;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Counts what happens in a simulation, apart from those who make it happen.
final class Recorder {
  private static final long MINUTE = 60_000_000_000L;

  private final int[] requests;
  private final int[] met;
  private final int[] metStrict;
  private final List<Minute> minutes = new ArrayList<>();
  private final List<Sample> samples = new ArrayList<>();
  private final Latencies firstTokens = new Latencies();
  private final Map<Code, Long> refusals = new EnumMap<>(Code.class);
  private final Map<Decision, Long> decisions = new EnumMap<>(Decision.class);
  private int dropped;
  private int firstLate;
  private int othersSlow;
  private int unfinished;
  private long placingNanos;
  private long queuedNanos;
  private long coldNanos;
  private long answerTokens;
  private long steps;
  private long batches;
  private long busyNanos;
  private long overCommits;
  long loads;
  long unloads;
  long evictions;
  long resizes;

  Recorder(int functions) {
    requests = new int[functions];
    met = new int[functions];
    metStrict = new int[functions];
  }

  void ended(SimRequest request, long now) {
    int function = request.function.number;
    int minute = (int) (request.arrivedAt / MINUTE);
    Served served = request.served();
    TokenTarget promise = request.function.promise;
    boolean inTime = served.met(promise, true);
    requests[function]++;
    met[function] += inTime ? 1 : 0;
    metStrict[function] += served.met(promise, false) ? 1 : 0;
    while (minutes.size() <= minute) {
      minutes.add(new Minute(0, 0));
    }
    minutes.set(minute, minutes.get(minute).and(inTime));
    dropped += request.dropped ? 1 : 0;
    placingNanos += request.placingNanos;
    queuedNanos += request.queuedNanos;
    coldNanos += request.excusedNanos;
    if (!request.dropped) {
      firstLate += served.firstInTime(promise, true) ? 0 : 1;
      othersSlow += served.othersInTime(promise) ? 0 : 1;
      answerTokens += request.answerTokens;
      firstTokens.add(request.firstAt - request.arrivedAt);
    }
  }

  int ended() {
    return Arrays.stream(requests).sum();
  }

  /// A request that never ended: none may be left when a simulation is over.
  void unfinished(int count) {
    unfinished += count;
  }

  void decided(Decision decision) {
    decisions.merge(decision, 1L, Long::sum);
  }

  /// A request was refused a place for now.
  void refused(Map<Code, Integer> against) {
    against.keySet().forEach(code -> refusals.merge(code, 1L, Long::sum));
  }

  void step(SimDevice device, SimInstance instance, long nanos) {
    steps++;
    batches += Math.max(1, instance.sequences.size());
    busyNanos += nanos;
  }

  void grows(SimDevice device, long bytes) {
    device.physicalBytes += bytes;
    if (device.physicalBytes > device.spec.memoryBytes()) {
      overCommits++;
    }
  }

  void shrinks(SimDevice device, long bytes) {
    device.physicalBytes -= bytes;
  }

  /// An instance's memory was changed: what its sequences hold must still be there.
  void holds(SimInstance instance) {
    if (instance.sequenceTokens() > instance.kvTokens) {
      overCommits++;
    }
  }

  void sample(long now, List<SimDevice> devices, int pending) {
    Set<String> cpus = new HashSet<>();
    Set<String> gpus = new HashSet<>();
    long planned = 0;
    long capacity = 0;
    int batch = 0;
    int busy = 0;
    for (SimDevice device : devices) {
      planned += device.memory.actualBytes();
      capacity += device.spec.memoryBytes();
      if (!device.empty()) {
        String whole = device.name().split("/", 2)[0];
        (device.spec.deviceClass() == DeviceClass.CPU ? cpus : gpus).add(whole);
      }
      for (SimInstance instance : device.instances) {
        batch += instance.batch();
        busy += instance.batch() > 0 ? 1 : 0;
      }
    }
    samples.add(
        new Sample(
            now / 1e9,
            cpus.size(),
            gpus.size(),
            (double) planned / Math.max(1, capacity),
            busy == 0 ? 0 : (double) batch / busy,
            pending));
  }

  SimulationResult result(long endedAt) {
    List<FunctionShare> shares = new ArrayList<>();
    for (int i = 0; i < requests.length; i++) {
      if (requests[i] > 0) {
        shares.add(new FunctionShare(i, requests[i], met[i]));
      }
    }
    return new SimulationResult(
        Arrays.stream(requests).asLongStream().sum(),
        Arrays.stream(met).asLongStream().sum(),
        Arrays.stream(metStrict).asLongStream().sum(),
        dropped,
        firstLate,
        othersSlow,
        unfinished,
        overCommits,
        shares.stream().mapToDouble(FunctionShare::share).min().orElse(1),
        mean(samples.stream().mapToDouble(sample -> sample.cpus() + sample.gpus()).toArray()),
        mean(samples.stream().mapToDouble(Sample::cpus).toArray()),
        mean(samples.stream().mapToDouble(Sample::gpus).toArray()),
        mean(samples.stream().mapToDouble(Sample::memoryShare).toArray()),
        steps == 0 ? 0 : (double) batches / steps,
        firstTokens.quantileSeconds(0.5),
        firstTokens.quantileSeconds(0.99),
        answerTokens,
        loads,
        unloads,
        evictions,
        resizes,
        endedAt / 1e9,
        busyNanos / 1e9,
        new Waits(placingNanos / 1e9, coldNanos / 1e9, queuedNanos / 1e9),
        refusals,
        decisions,
        shares,
        minutes,
        samples);
  }

  private static double mean(double[] values) {
    return Arrays.stream(values).average().orElse(0);
  }

  /// Latencies in classes of 2 %.
  private static final class Latencies {
    private final int[] counts = new int[2_000];
    private int total;

    void add(long nanos) {
      double millis = Math.max(1, nanos / 1e6);
      int at = (int) (Math.log(millis) / Math.log(1.02));
      counts[Math.min(counts.length - 1, at)]++;
      total++;
    }

    double quantileSeconds(double share) {
      long left = (long) Math.ceil(total * share);
      for (int i = 0; i < counts.length && total > 0; i++) {
        left -= counts[i];
        if (left <= 0) {
          return Math.pow(1.02, i + 0.5) / 1e3;
        }
      }
      return 0;
    }
  }
}
