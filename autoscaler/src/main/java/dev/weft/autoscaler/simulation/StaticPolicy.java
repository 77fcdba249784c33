package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.simulation.Scenario.Kind;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What serverless platforms for models do without sharing: an instance has a device, or a half of
/// one, to itself, and takes a fixed number of requests at once. Requests go to instances in turn,
/// to a free device next, and wait for either; whoever waits for longer than its first token's
/// target is given up. An instance that idles for a second goes, or, where devices are swapped,
/// when another function has none.
final class StaticPolicy implements Policy {
  private static final long SECOND = 1_000_000_000L;

  private final World world;
  private final Kind kind;
  private int turn;
  private boolean paused;

  StaticPolicy(World world, Kind kind) {
    this.world = world;
    this.kind = kind;
  }

  @Override
  public boolean place(SimRequest request) {
    request.neededTokens = neededTokens(request);
    SimInstance instance = inTurn(request.function.instances);
    Decision how = Decision.JOINED;
    if (instance == null && !paused) {
      how = Decision.CREATED;
      instance = onFreeDevice(request.function);
      if (instance == null && kind == Kind.EXCLUSIVE_SWAP) {
        instance = onIdleDevice(request.function);
      }
    }
    if (instance == null) {
      return false;
    }
    world.recorder.decided(how);
    world.join(request, instance);
    return true;
  }

  private @Nullable SimInstance inTurn(List<SimInstance> instances) {
    for (int i = 0; i < instances.size(); i++) {
      SimInstance instance = instances.get(Math.floorMod(turn + i, instances.size()));
      if (instance.batch() < concurrency(instance.device, instance.function.model)) {
        turn++;
        return instance;
      }
    }
    return null;
  }

  private @Nullable SimInstance onFreeDevice(SimFunction function) {
    for (SimDevice device : world.devices) {
      if (device.instances.isEmpty() && device.memory.settled() && serves(device, function)) {
        return world.create(function, device, tokens(device, function));
      }
    }
    return null;
  }

  private @Nullable SimInstance onIdleDevice(SimFunction function) {
    SimInstance longest = null;
    for (SimDevice device : world.devices) {
      for (SimInstance instance : device.instances) {
        boolean idles = instance.state == SimInstance.State.READY && instance.idle();
        if (idles
            && serves(device, function)
            && (longest == null || instance.idleSince < longest.idleSince)) {
          longest = instance;
        }
      }
    }
    if (longest == null) {
      return null;
    }
    world.unload(longest, Decision.UNLOADED_FOR_ROOM);
    return world.create(function, longest.device, tokens(longest.device, function));
  }

  private boolean serves(SimDevice device, SimFunction function) {
    return device.alive
        && device.runs(function.model)
        && concurrency(device, function.model) > 0
        && tokens(device, function) > 0;
  }

  /// KV tokens that there is memory for, once it is the only one.
  private static long tokens(SimDevice device, SimFunction function) {
    long fixed = function.model.weightBytes() + device.spec.instanceBytes();
    return (device.spec.memoryBytes() - fixed) / function.model.kvBytesPerToken();
  }

  private int concurrency(SimDevice device, ModelSpec model) {
    ModelSpec.OnKind on = device.onKind(model);
    return kind == Kind.STATIC_HALF ? on.halfConcurrency() : on.exclusiveConcurrency();
  }

  @Override
  public boolean givesUp(SimRequest request) {
    long patience = request.firstAt < 0 ? 0 : 60 * SECOND;
    return request.deadline() + patience < world.now();
  }

  @Override
  public double turn(SimRequest request) {
    return 0;
  }

  @Override
  public void idle(SimInstance instance) {
    if (kind == Kind.EXCLUSIVE_SWAP) {
      return;
    }
    long since = instance.idleSince;
    world.events.at(
        world.now() + SECOND,
        () -> {
          if (instance.idleSince == since && instance.state == SimInstance.State.READY) {
            world.unload(instance, Decision.UNLOADED_IDLE);
          }
        });
  }

  @Override
  public void shrunk(SimInstance instance) {}

  /// All of the memory is planned from the beginning.
  @Override
  public boolean grow(SimInstance instance, long tokens) {
    return instance.plannedTokens() >= tokens;
  }

  @Override
  public int neededTokens(SimRequest request) {
    return request.tokens();
  }

  @Override
  public void pause(boolean pauses) {
    paused = pauses;
  }

  /// The platform's own runtimes serve what it swaps.
  @Override
  public boolean byHeadroom() {
    return kind == Kind.EXCLUSIVE_SWAP;
  }
}
