package dev.weft.bench.live;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.autoscaler.simulation.Trace;
import dev.weft.bench.Subprocess;
import dev.weft.bench.load.Completion;
import dev.weft.bench.load.DeviceControl;
import dev.weft.bench.load.LivePlatform;
import dev.weft.bench.load.Prompts;
import dev.weft.bench.load.StubbedPlatform;
import dev.weft.bench.load.Target;
import dev.weft.functions.FunctionName;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Starts the platform, and replays stretches of a trace on it.
final class Replays {
  static final long MEMORY_BYTES = 2L << 30;

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String TRACE_PRINTER = "dev.weft.platform.simulation.TracePrinter";
  private static final String MEMORY = "2G";
  private static final int WARM_UP_PROMPT = 64;
  private static final int WARM_UP_TOKENS = 8;

  private final LiveArguments arguments;
  private final List<LiveFunction> functions;
  private final Place place;
  private final Prompts prompts = new Prompts();

  /// Where things are.
  ///
  /// @param platform the directory that the platform's build writes to
  /// @param runtime the runtime's jars
  /// @param work for the platform's state and logs
  record Place(Path platform, String runtime, Path work) {}

  Replays(LiveArguments arguments, List<LiveFunction> functions, Place place) {
    this.arguments = arguments;
    this.functions = functions;
    this.place = place;
  }

  /// A stretch of the trace for each round, and one more to rehearse with.
  List<Trace> rounds() throws IOException, InterruptedException {
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

  LivePlatform start(boolean exclusive) throws IOException {
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

  List<Replay.Outcome> replay(LivePlatform platform, Target target, LoadWatch watch, Trace calls)
      throws IOException, InterruptedException {
    List<Replay.Outcome> outcomes =
        new Replay(platform.gateway(), watch).run(messages(platform, target, calls));
    outcomes.stream()
        .filter(outcome -> outcome.error() != null)
        .forEach(outcome -> System.err.println("  " + outcome));
    return outcomes;
  }

  /// What became of calls, and meanwhile: how many loads there were, and processor time.
  record Watched(List<Replay.Outcome> outcomes, int loads, ProcessorTime time) {}

  /// Replays while devices are watched for the cold starts that callers wait for.
  Watched watched(LivePlatform platform, Target target, Trace calls)
      throws IOException, InterruptedException {
    LoadWatch watch = new LoadWatch();
    List<DeviceControl> devices = platform.devices();
    try {
      for (DeviceControl device : devices) {
        device.watch(status -> watch.saw(status, System.nanoTime()));
      }
      ProcessorTime before = ProcessorTime.of(platform);
      List<Replay.Outcome> outcomes = replay(platform, target, watch, calls);
      return new Watched(outcomes, watch.loads(), ProcessorTime.of(platform).since(before));
    } finally {
      devices.forEach(DeviceControl::close);
    }
  }

  /// Calls every function and replays a stretch, so that what is measured are not the virtual
  /// machines' first minutes, in which they compile on the processors that serve.
  void warmUp(LivePlatform platform, Target target, Trace rehearsal)
      throws IOException, InterruptedException {
    for (LiveFunction function : functions) {
      for (int i = 0; i < 2; i++) {
        Completion.whole(of(target, function), prompts.next(WARM_UP_PROMPT), WARM_UP_TOKENS);
      }
    }
    watched(platform, target, rehearsal);
  }

  /// Empties the devices.
  static void empty(LivePlatform platform) throws IOException, InterruptedException {
    for (DeviceControl device : platform.devices()) {
      try (device) {
        device.unloadAll();
      }
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
