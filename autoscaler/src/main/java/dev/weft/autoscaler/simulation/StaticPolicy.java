package dev.weft.autoscaler.simulation;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// What serverless platforms for models do without sharing: an instance has a device, or a half of
/// one, to itself, and takes a fixed number of requests at once. Requests go to instances in turn,
/// to a free device next, and wait for either; whoever waits for longer than its first token's
/// target is given up. An instance that idles for a second goes.
final class StaticPolicy implements Policy {
  private static final long SECOND = 1_000_000_000L;

  private final World world;
  private final boolean halves;
  private int turn;
  private boolean paused;

  StaticPolicy(World world, boolean halves) {
    this.world = world;
    this.halves = halves;
  }

  @Override
  public boolean place(SimRequest request) {
    request.neededTokens = neededTokens(request);
    SimInstance instance = inTurn(request.function.instances);
    Decision how = Decision.JOINED;
    if (instance == null && !paused) {
      how = Decision.CREATED;
      instance = onFreeDevice(request.function);
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
      boolean free =
          device.alive
              && device.instances.isEmpty()
              && device.memory.settled()
              && device.runs(function.model)
              && concurrency(device, function.model) > 0;
      long fixed = function.model.weightBytes() + device.spec.instanceBytes();
      long tokens = (device.spec.memoryBytes() - fixed) / function.model.kvBytesPerToken();
      if (free && tokens > 0) {
        return world.create(function, device, tokens);
      }
    }
    return null;
  }

  private int concurrency(SimDevice device, ModelSpec model) {
    ModelSpec.OnKind on = device.onKind(model);
    return halves ? on.halfConcurrency() : on.exclusiveConcurrency();
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

  @Override
  public boolean byHeadroom() {
    return false;
  }
}
