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
  private final Measuring measuring;

  /// What is known of each device, and what was when.
  private final List<Measured> known = new ArrayList<>();

  private final Map<String, List<Measured>> profiles = new LinkedHashMap<>();

  /// @param results for what is recorded beside the report
  LivePart(Replays replays, List<LiveFunction> functions, Path results) {
    this.replays = replays;
    this.functions = functions;
    this.results = results;
    measuring = new Measuring(functions, revisions);
  }

  void run(PartRecorder recorder) throws IOException, InterruptedException {
    recorder.remark(
        "Met is who got the first token within half a second (later by the cold start that it"
            + " waited for) and the others within 0.25 s each on average: one definition for real"
            + " and simulated requests. Before each replay another stretch is replayed on the"
            + " same platform, which is not counted.");
    List<Trace> rounds = replays.rounds();
    Trace rehearsal = rounds.removeLast();
    measure();
    Comparison comparison = new Comparison(recorder);
    for (int round = 0; round < rounds.size(); round++) {
      Trace calls = rounds.get(round);
      int requests = calls.calls().size();
      for (boolean exclusive : round % 2 == 0 ? List.of(true, false) : List.of(false, true)) {
        String subject = exclusive ? Comparison.LIVE_EXCLUSIVE : Comparison.LIVE_MESH;
        Replays.Watched watched = live(calls, rehearsal, exclusive);
        comparison.add(round, requests, subject, Figures.live(watched));
        comparison.add(subject, watched.time());
      }
      record("round " + (round + 1));
      Simulated simulated = new Simulated(functions, List.copyOf(known), Replays.MEMORY_BYTES);
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

  /// Deploys the functions and has each device measure its steps while nobody calls.
  private void measure() throws IOException, InterruptedException {
    try (LivePlatform platform = replays.start(false)) {
      platform.target();
      for (LiveFunction function : functions) {
        revisions.put(function.name(), platform.deploy(function.name(), function.manifest()));
      }
      for (DeviceControl device : platform.devices()) {
        try (device) {
          known.add(measuring.of(device));
        }
      }
    }
    record("idle");
  }

  private Replays.Watched live(Trace calls, Trace rehearsal, boolean exclusive)
      throws IOException, InterruptedException {
    try (LivePlatform platform = replays.start(exclusive)) {
      Target target = platform.target();
      replays.warmUp(platform, target, rehearsal);
      learn(platform);
      Replays.empty(platform);
      return replays.watched(platform, target, calls);
    }
  }

  /// With callers, a platform and a neighbour on the same machine steps take longer or shorter than
  /// alone, and profiles follow what they see.
  private void learn(LivePlatform platform) throws IOException, InterruptedException {
    List<DeviceControl> devices = platform.devices();
    for (int i = 0; i < devices.size(); i++) {
      try (DeviceControl device = devices.get(i)) {
        known.set(i, measuring.after(device, known.get(i)));
      }
    }
  }

  private void record(String when) throws IOException {
    profiles.put(when, List.copyOf(known));
    Files.createDirectories(results);
    JSON.writeValue(results.resolve("profiles.json").toFile(), profiles);
  }
}
