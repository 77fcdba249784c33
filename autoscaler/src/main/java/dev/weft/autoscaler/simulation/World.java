package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.memory.MemoryProtocol;
import dev.weft.autoscaler.memory.MemoryProtocol.Action;
import dev.weft.autoscaler.memory.MemoryProtocol.Planned;
import dev.weft.autoscaler.simulation.Mechanisms.Mechanism;
import dev.weft.autoscaler.simulation.Scenario.Callers;
import dev.weft.autoscaler.simulation.SimInstance.State;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.function.Function;
import java.util.random.RandomGenerator;

/// What happens in a simulation: steps, loads, moves of memory. What should happen is the policy's.
final class World {
  /// When a request that was refused is tried again.
  static final long RETRY_NANOS = 250_000_000;

  final Events events;
  final List<SimDevice> devices;
  final Scenario scenario;
  final Recorder recorder;
  final List<SimRequest> pending = new ArrayList<>();
  private final Policy policy;
  private final Steps steps;
  private boolean retrying;
  private int instancesMade;

  World(
      Scenario scenario,
      Events events,
      List<SimDevice> devices,
      Recorder recorder,
      Function<World, Policy> policy,
      RandomGenerator random) {
    this.scenario = scenario;
    this.events = events;
    this.devices = devices;
    this.recorder = recorder;
    this.policy = policy.apply(this);
    this.steps = new Steps(this, this.policy, random);
  }

  long now() {
    return events.now();
  }

  boolean use(Mechanism mechanism) {
    return scenario.mechanisms().use(mechanism);
  }

  /// A request came.
  void arrived(SimRequest request) {
    request.function.shares.arrived(request.function.number);
    request.function.arrivals.arrived(now());
    if (scenario.callers() == Callers.HANG_UP) {
      watch(request);
    }
    if (!placed(request)) {
      hold(request);
    }
  }

  private boolean placed(SimRequest request) {
    boolean placed = policy.place(request);
    if (!placed) {
      recorder.decided(Decision.REFUSED);
    }
    return placed;
  }

  /// A request waits for a place.
  private void hold(SimRequest request) {
    pending.add(request);
    if (!retrying) {
      retrying = true;
      events.at(now() + RETRY_NANOS, this::retry);
    }
  }

  /// Tries all that wait, the most urgent first. When one of a function was refused twice, its
  /// others are not tried: what stands against them is the same.
  private void retry() {
    retrying = false;
    List<SimRequest> waiting = inTurn(pending);
    pending.clear();
    IdentityHashMap<SimFunction, Integer> refused = new IdentityHashMap<>();
    for (SimRequest request : waiting) {
      SimFunction function = request.function;
      if (policy.givesUp(request)) {
        drop(request);
      } else if (refused.getOrDefault(function, 0) >= 2 || !placed(request)) {
        refused.merge(function, 1, Integer::sum);
        hold(request);
      }
    }
  }

  private List<SimRequest> inTurn(List<SimRequest> requests) {
    record Turn(SimRequest request, double turn) {}
    return requests.stream()
        .map(request -> new Turn(request, policy.turn(request)))
        .sorted(
            Comparator.comparingInt((Turn each) -> -each.request.function.priority)
                .thenComparingDouble(Turn::turn)
                .thenComparingLong(each -> each.request.deadline()))
        .map(Turn::request)
        .toList();
  }

  private void drop(SimRequest request) {
    request.placingNanos += now() - request.since;
    gaveUp(request);
  }

  private void gaveUp(SimRequest request) {
    request.dropped = true;
    recorder.decided(Decision.GIVEN_UP);
    recorder.ended(request, now());
  }

  /// Its caller hangs up when the first token should have come, which a cold start may put off.
  private void watch(SimRequest request) {
    events.at(
        request.promisedAt(),
        () -> {
          if (request.dropped || request.firstAt != Served.NEVER) {
            return;
          }
          if (now() < request.promisedAt()) {
            watch(request);
          } else if (pending.remove(request)) {
            drop(request);
          } else {
            hangUp(request);
          }
        });
  }

  private void hangUp(SimRequest request) {
    for (SimInstance instance : request.function.instances) {
      if (instance.prompts.contains(request)) {
        instance.remove(request);
        request.queuedNanos += now() - request.since;
        gaveUp(request);
        left(instance);
        return;
      }
    }
  }

  /// A new instance with memory for `tokens`, which begins to load when there is room.
  SimInstance create(SimFunction function, SimDevice device, long tokens) {
    SimInstance instance = new SimInstance(function, device, instancesMade++);
    instance.readyAt = now() + instance.loadNanos;
    device.loads(function);
    instance.plannedTokens = tokens;
    device.instances.add(instance);
    function.instances.add(instance);
    device.changed();
    plan(instance, instance.bytesFor(tokens));
    recorder.loads++;
    return instance;
  }

  /// A request joins an instance.
  void join(SimRequest request, SimInstance instance) {
    if (!request.placed) {
      request.placed = true;
      request.function.shares.placed(request.function.number);
    }
    request.placingNanos += now() - request.since;
    request.since = now();
    instance.idleSince = Long.MAX_VALUE;
    if (instance.state == State.LOADING && request.firstAt < 0) {
      long wait = instance.readyAt - now();
      long excused = Math.clamp(wait, 0, instance.loadNanos);
      request.excusedNanos = Math.max(request.excusedNanos, excused);
    }
    if (instance.idle()) {
      instance.couldRunSince = now();
    }
    instance.addPrompt(request);
    run(instance.device);
  }

  /// The instance is planned to hold KV memory for so many tokens.
  void resize(SimInstance instance, long tokens) {
    if (tokens != instance.plannedTokens) {
      recorder.decided(tokens > instance.plannedTokens ? Decision.GREW : Decision.SHRANK);
      instance.plannedTokens = tokens;
      plan(instance, instance.bytesFor(tokens));
    }
  }

  /// Takes an instance off its device; its requests are placed again after a pause.
  void unload(SimInstance instance, Decision why) {
    SimDevice device = instance.device;
    recorder.decided(why);
    List<SimRequest> evicted = new ArrayList<>(instance.sequences);
    evicted.addAll(instance.prompts);
    evicted.forEach(request -> evict(request, instance, Decision.EVICTED));
    instance.state = State.LEAVING;
    instance.idleSince = Long.MAX_VALUE;
    instance.plannedTokens = 0;
    device.instances.remove(instance);
    instance.function.instances.remove(instance);
    device.changed();
    recorder.unloads++;
    plan(instance, 0);
  }

  /// A request leaves its instance before its end.
  private void evict(SimRequest request, SimInstance instance, Decision why) {
    recorder.decided(why);
    instance.remove(request);
    request.evictions++;
    recorder.evictions++;
    request.queuedNanos += now() - request.since;
    request.since = now();
    hold(request);
  }

  private void plan(SimInstance instance, long bytes) {
    MemoryProtocol.Outcome outcome = instance.device.memory.plan(instance, bytes);
    if (!(outcome instanceof Planned)) {
      throw new IllegalStateException(
          "planned %d bytes on %s: %s".formatted(bytes, instance.device.name(), outcome));
    }
    instance.device.changed();
    act(instance.device);
  }

  private void act(SimDevice device) {
    for (Action<SimInstance> action : device.memory.start()) {
      SimInstance instance = action.holder();
      long parkedAt = device.running == instance ? Math.max(now(), device.stepEnds) : now();
      long took;
      if (action.loads()) {
        took = instance.loadNanos;
        instance.readyAt = parkedAt + took;
      } else if (action.unloads()) {
        took = device.spec.unloadNanos();
      } else {
        took = device.spec.resizeNanos(action.toBytes() - action.fromBytes());
        recorder.resizes++;
      }
      instance.resizing = true;
      recorder.grows(device, Math.max(0, action.toBytes() - action.fromBytes()));
      long life = device.life;
      events.at(
          parkedAt + took,
          () -> {
            if (life == device.life) {
              acted(action);
            }
          });
    }
  }

  private void acted(Action<SimInstance> action) {
    SimInstance instance = action.holder();
    SimDevice device = instance.device;
    device.memory.completed(action);
    recorder.shrinks(device, Math.max(0, action.fromBytes() - action.toBytes()));
    instance.resizing = false;
    instance.starved = false;
    if (!action.unloads()) {
      instance.kvTokens = (action.toBytes() - instance.fixedBytes()) / instance.bytesPerToken();
      recorder.holds(instance);
    }
    if (action.loads() && instance.state == State.LOADING) {
      instance.state = State.READY;
      instance.readyAt = now();
      instance.couldRunSince = now();
      instance.prompts.forEach(request -> request.since = Math.max(request.since, now()));
      instance.refresh();
      if (instance.idle()) {
        idles(instance);
      }
    }
    act(device);
    run(device);
  }

  /// Has the device begin a step if it can.
  void run(SimDevice device) {
    steps.run(device);
  }

  /// A request got its last token.
  void finished(SimRequest request, SimInstance instance) {
    request.finishedAt = now();
    request.function.lengths.saw(request.answerTokens);
    instance.remove(request);
    recorder.ended(request, now());
    left(instance);
  }

  /// A request left an instance.
  private void left(SimInstance instance) {
    if (instance.idle()) {
      idles(instance);
    } else {
      policy.shrunk(instance);
    }
  }

  private void idles(SimInstance instance) {
    instance.idleSince = now();
    instance.device.changed();
    policy.idle(instance);
  }

  /// A device dies with all it holds.
  void dies(SimDevice device) {
    device.alive = false;
    device.life++;
    device.running = null;
    device.prompt = null;
    for (SimInstance instance : List.copyOf(device.instances)) {
      List<SimRequest> lost = new ArrayList<>(instance.sequences);
      lost.addAll(instance.prompts);
      lost.forEach(request -> evict(request, instance, Decision.LOST_WITH_DEVICE));
      instance.state = State.LEAVING;
      instance.function.instances.remove(instance);
    }
    device.instances.clear();
    device.memory = new MemoryProtocol<>(device.spec.memoryBytes());
    device.physicalBytes = 0;
    device.changed();
  }

  void comesBack(SimDevice device) {
    device.alive = true;
    device.stepEnds = now();
  }

  /// Has a fault happen when its time has come.
  void schedule(Fault fault) {
    switch (fault) {
      case Fault.DeviceDies(int device, long at, long until) -> {
        events.at(at, () -> dies(devices.get(device)));
        events.at(until, () -> comesBack(devices.get(device)));
      }
      case Fault.DeviceSlows(int device, double factor, long at, long until) -> {
        events.at(at, () -> devices.get(device).slowness = factor);
        events.at(until, () -> devices.get(device).slowness = 1);
      }
      case Fault.ControllerPauses(long at, long until) -> {
        events.at(at, () -> policy.pause(true));
        events.at(until, () -> policy.pause(false));
      }
    }
  }

  /// Evicts a request that lacks memory.
  void pushOut(SimRequest request, SimInstance instance) {
    evict(request, instance, Decision.EVICTED);
    left(instance);
  }
}
