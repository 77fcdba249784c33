package dev.weft.bench.live;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.weft.autoscaler.simulation.Scenario;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.bench.load.DeviceControl;
import dev.weft.bench.load.LivePlatform;
import dev.weft.bench.load.Target;
import dev.weft.bench.report.PartRecorder;
import dev.weft.functions.Revision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Replays rounds of a trace on the live platform, once with devices that serve one model at a time
/// and once as it is, and simulates the same.
final class LivePart {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  private final Replays replays;
  private final List<LiveFunction> functions;
  private final Path results;
  private final Map<String, Revision> revisions = new LinkedHashMap<>();

  /// @param results for what is recorded beside the report
  LivePart(Replays replays, List<LiveFunction> functions, Path results) {
    this.replays = replays;
    this.functions = functions;
    this.results = results;
  }

  void run(PartRecorder recorder) throws IOException, InterruptedException {
    recorder.remark(
        "Met is who got the first token within half a second (later by the cold start that it"
            + " waited for) and the others within 0.25 s each on average: one definition for real"
            + " and simulated requests. Platform and callers share the devices' processors.");
    List<Trace> rounds = replays.rounds();
    List<Measured> measured = measure(rounds.removeLast());
    Simulated simulated = new Simulated(functions, measured, Replays.MEMORY_BYTES);
    Comparison comparison = new Comparison(recorder);
    for (int round = 0; round < rounds.size(); round++) {
      Trace calls = rounds.get(round);
      int requests = calls.calls().size();
      for (boolean exclusive : round % 2 == 0 ? List.of(true, false) : List.of(false, true)) {
        comparison.add(
            round,
            requests,
            exclusive ? Comparison.LIVE_EXCLUSIVE : Comparison.LIVE_MESH,
            live(calls, exclusive));
      }
      comparison.add(
          round,
          requests,
          Comparison.SIMULATED_EXCLUSIVE,
          Figures.simulated(simulated.run(calls, Scenario.Kind.EXCLUSIVE_SWAP)));
      comparison.add(
          round,
          requests,
          Comparison.SIMULATED_MESH,
          Figures.simulated(simulated.run(calls, Scenario.Kind.LLM_MESH)));
    }
    comparison.find();
  }

  /// Deploys the functions and has each device measure its steps while nobody calls. Then another
  /// stretch of the trace is replayed: with callers, a platform and a neighbour on the same
  /// processors steps take longer, and profiles follow what they see.
  private List<Measured> measure(Trace rehearsal) throws IOException, InterruptedException {
    List<Measured> idle = new ArrayList<>();
    List<Measured> rehearsed = new ArrayList<>();
    Measuring measuring = new Measuring(functions, revisions);
    try (LivePlatform platform = replays.start(false)) {
      Target target = platform.target();
      for (LiveFunction function : functions) {
        revisions.put(function.name(), platform.deploy(function.name(), function.manifest()));
      }
      List<DeviceControl> devices = platform.devices();
      for (DeviceControl device : devices) {
        idle.add(measuring.of(device));
      }
      replays.replay(platform, target, new LoadWatch(), rehearsal);
      for (int i = 0; i < devices.size(); i++) {
        rehearsed.add(measuring.after(devices.get(i), idle.get(i)));
        devices.get(i).unloadAll();
        devices.get(i).close();
      }
    }
    Files.createDirectories(results);
    JSON.writeValue(
        results.resolve("profiles.json").toFile(), Map.of("idle", idle, "rehearsed", rehearsed));
    return rehearsed;
  }

  private Figures live(Trace calls, boolean exclusive) throws IOException, InterruptedException {
    try (LivePlatform platform = replays.start(exclusive)) {
      Target target = platform.target();
      replays.warmUp(platform, target);
      Replays.Watched watched = replays.watched(platform, target, calls);
      return Figures.live(watched.outcomes(), watched.loads());
    }
  }
}
