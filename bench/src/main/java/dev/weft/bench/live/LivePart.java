package dev.weft.bench.live;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.weft.autoscaler.simulation.Scenario;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.bench.Subprocess;
import dev.weft.bench.load.Completion;
import dev.weft.bench.load.DeviceControl;
import dev.weft.bench.load.LivePlatform;
import dev.weft.bench.load.Prompts;
import dev.weft.bench.load.StubbedPlatform;
import dev.weft.bench.load.Target;
import dev.weft.bench.report.PartRecorder;
import dev.weft.functions.FunctionName;
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
  private static final String TRACE_PRINTER = "dev.weft.platform.simulation.TracePrinter";
  private static final String MEMORY = "2G";
  private static final long MEMORY_BYTES = 2L << 30;
  private static final int WARM_UP_PROMPT = 64;
  private static final int WARM_UP_TOKENS = 8;

  private final LiveArguments arguments;
  private final List<LiveFunction> functions;
  private final Place place;
  private final Prompts prompts = new Prompts();
  private final Map<String, Revision> revisions = new LinkedHashMap<>();

  /// Where things are.
  ///
  /// @param platform the directory that the platform's build writes to
  /// @param runtime the runtime's jars
  /// @param work for the platform's state and logs
  /// @param results for what is recorded beside the report
  record Place(Path platform, String runtime, Path work, Path results) {}

  LivePart(LiveArguments arguments, List<LiveFunction> functions, Place place) {
    this.arguments = arguments;
    this.functions = functions;
    this.place = place;
  }

  void run(PartRecorder recorder) throws IOException, InterruptedException {
    recorder.remark(
        "Met is who got the first token within half a second (later by the cold start that it"
            + " waited for) and the others within 0.25 s each on average: one definition for real"
            + " and simulated requests. Platform and callers share the devices' processors.");
    List<Trace> rounds = rounds();
    List<Measured> measured = measure(rounds.removeLast());
    Simulated simulated = new Simulated(functions, measured, MEMORY_BYTES);
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

  /// A stretch of the trace for each round, and one more to rehearse with.
  private List<Trace> rounds() throws IOException, InterruptedException {
    String json =
        Subprocess.output(
            List.of(
                Subprocess.javaCommand(),
                "-cp",
                StubbedPlatform.testClassPath(place.platform()),
                TRACE_PRINTER,
                arguments.trace().toString()));
    Trace trace = JSON.readValue(json, Trace.class);
    Slice slice = new Slice(arguments.seconds(), arguments.pace(), arguments.shorter());
    List<Trace> rounds = new ArrayList<>();
    for (int round = 0; round <= arguments.rounds(); round++) {
      rounds.add(slice.of(trace, round));
    }
    return rounds;
  }

  private LivePlatform start(boolean exclusive) throws IOException {
    return LivePlatform.start(
        new LivePlatform.Options(
            place.platform(),
            place.runtime(),
            place.work().resolve("home"),
            arguments.cpus(),
            MEMORY,
            exclusive),
        place.work().resolve("platform.log"));
  }

  /// Deploys the functions and has each device measure its steps while nobody calls. Then another
  /// stretch of the trace is replayed: with callers, a platform and a neighbour on the same
  /// processors steps take longer, and profiles follow what they see.
  private List<Measured> measure(Trace rehearsal) throws IOException, InterruptedException {
    List<Measured> idle = new ArrayList<>();
    List<Measured> rehearsed = new ArrayList<>();
    Measuring measuring = new Measuring(functions, revisions);
    try (LivePlatform platform = start(false)) {
      Target target = platform.target();
      for (LiveFunction function : functions) {
        revisions.put(function.name(), platform.deploy(function.name(), function.manifest()));
      }
      List<DeviceControl> devices = platform.devices();
      for (DeviceControl device : devices) {
        idle.add(measuring.of(device));
      }
      replay(platform, target, new LoadWatch(), rehearsal);
      for (int i = 0; i < devices.size(); i++) {
        rehearsed.add(measuring.after(devices.get(i), idle.get(i)));
        devices.get(i).unloadAll();
        devices.get(i).close();
      }
    }
    Files.createDirectories(place.results());
    JSON.writeValue(
        place.results().resolve("profiles.json").toFile(),
        Map.of("idle", idle, "rehearsed", rehearsed));
    return rehearsed;
  }

  private Figures live(Trace calls, boolean exclusive) throws IOException, InterruptedException {
    try (LivePlatform platform = start(exclusive)) {
      Target target = platform.target();
      List<DeviceControl> devices = platform.devices();
      warmUp(target, devices);
      LoadWatch watch = new LoadWatch();
      for (DeviceControl device : devices) {
        device.watch(status -> watch.saw(status, System.nanoTime()));
      }
      List<Replay.Outcome> outcomes = replay(platform, target, watch, calls);
      devices.forEach(DeviceControl::close);
      return Figures.live(outcomes, watch.loads());
    }
  }

  private List<Replay.Outcome> replay(
      LivePlatform platform, Target target, LoadWatch watch, Trace calls)
      throws IOException, InterruptedException {
    List<Replay.Outcome> outcomes =
        new Replay(platform.gateway(), watch).run(messages(platform, target, calls));
    outcomes.stream()
        .filter(outcome -> outcome.error() != null)
        .forEach(outcome -> System.err.println("  " + outcome));
    return outcomes;
  }

  /// Calls every function, so that what is measured are not the virtual machines' first steps, and
  /// empties the devices.
  private void warmUp(Target target, List<DeviceControl> devices)
      throws IOException, InterruptedException {
    for (LiveFunction function : functions) {
      for (int i = 0; i < 2; i++) {
        Completion.whole(of(target, function), prompts.next(WARM_UP_PROMPT), WARM_UP_TOKENS);
      }
    }
    for (DeviceControl device : devices) {
      device.unloadAll();
    }
  }

  private List<Replay.Message> messages(LivePlatform platform, Target target, Trace calls)
      throws IOException {
    List<Replay.Message> messages = new ArrayList<>();
    for (Trace.Call call : calls.calls()) {
      LiveFunction function = functions.get(call.function());
      String body =
          Completion.body(
              of(target, function), prompts.next(call.promptTokens()), call.answerTokens());
      messages.add(
          new Replay.Message(
              new FunctionName(function.name()),
              call,
              platform.gateway().request("/v1/completions", body)));
    }
    return messages;
  }

  private static Target of(Target target, LiveFunction function) {
    return new Target(target.base(), function.name(), target.key(), target.extra());
  }
}
