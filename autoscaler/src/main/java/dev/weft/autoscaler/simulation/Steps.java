package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.profile.MeasuredProfile;
import dev.weft.autoscaler.profile.RefinedProfile;
import dev.weft.autoscaler.scheduling.StepChoice;
import dev.weft.autoscaler.scheduling.StepChoice.Step;
import dev.weft.autoscaler.simulation.Mechanisms.Mechanism;
import dev.weft.autoscaler.simulation.SimInstance.State;
import java.util.List;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// The steps of simulated devices, one after the other on each.
final class Steps {
  /// Steps take from 3 % less to 5 % more than the profile says.
  private static final double LEAST_NOISE = 0.97;

  private static final double MOST_NOISE = 1.05;

  private final World world;
  private final Policy policy;
  private final RandomGenerator random;
  private final StepChoice.Rules rules;
  private final boolean byHeadroom;
  private final boolean learns;

  Steps(World world, Policy policy, RandomGenerator random) {
    this.world = world;
    this.policy = policy;
    this.random = random;
    this.byHeadroom = policy.byHeadroom();
    this.learns = world.use(Mechanism.REFINEMENT);
    this.rules = byHeadroom ? StepChoice.Rules.DEFAULT : StepChoice.Rules.TURNS;
  }

  /// Begins a step if the device is free and somebody has something to do.
  void run(SimDevice device) {
    while (device.alive
        && device.running == null
        && StepChoice.decide(device.instances, rules, world.now()) instanceof Step step) {
      device.stepsLeft = step.steps();
      world.recorder.decided(
          switch (step.reason()) {
            case LEAST_HEADROOM -> Decision.STEP_LEAST_HEADROOM;
            case FAIR_SHARE -> Decision.STEP_FAIR_SHARE;
            case WAITED_LONG -> Decision.STEP_WAITED_LONG;
            case ITS_TURN -> Decision.STEP_ITS_TURN;
          });
      begin((SimInstance) step.candidate());
    }
  }

  /// Begins a step of the instance. Where memory for it is missing, the instance waits for it or
  /// loses its newest sequence instead.
  private void begin(SimInstance instance) {
    boolean promptFirst =
        !instance.prompts.isEmpty()
            && (instance.sequences.isEmpty()
                || !byHeadroom
                || instance.promptGoesFirst(world.now()));
    if (promptFirst) {
      SimRequest prompt = instance.nextPrompt(byHeadroom);
      if (instance.fits(prompt)) {
        compute(instance, prompt);
        return;
      }
      if (instance.sequences.isEmpty()) {
        more(instance, prompt.tokens() + 1L, prompt);
        return;
      }
      policy.grow(instance, instance.sequenceTokens() + prompt.tokens() + 1);
      if (instance.resizing) {
        return;
      }
    }
    long tokens = instance.sequenceTokens() + instance.sequences.size();
    if (tokens > instance.kvTokens) {
      more(instance, tokens, newest(instance.sequences));
    } else {
      compute(instance, null);
    }
  }

  private void more(SimInstance instance, long tokens, SimRequest last) {
    if (policy.grow(instance, tokens)) {
      instance.starved = !instance.resizing && instance.kvTokens < tokens;
    } else {
      world.pushOut(last, instance);
    }
  }

  private static SimRequest newest(List<SimRequest> sequences) {
    SimRequest newest = sequences.getFirst();
    for (SimRequest request : sequences) {
      if (request.arrivedAt > newest.arrivedAt) {
        newest = request;
      }
    }
    return newest;
  }

  private void compute(SimInstance instance, @Nullable SimRequest prompt) {
    SimDevice device = instance.device;
    MeasuredProfile truth = instance.truth;
    long expected =
        prompt == null
            ? truth.decodeNanos(instance.sequences.size(), instance.sequenceTokens())
            : truth.prefillNanos(prompt.tokens());
    double noise = LEAST_NOISE + (MOST_NOISE - LEAST_NOISE) * random.nextDouble();
    device.running = instance;
    device.prompt = prompt;
    device.stepBegan = world.now();
    device.stepEnds =
        world.now()
            + Math.max(1, (long) (expected * noise * device.slowness * device.spec.timeFactor()));
    long life = device.life;
    world.events.at(
        device.stepEnds,
        () -> {
          if (life == device.life) {
            ended(device, instance);
          }
        });
  }

  private void ended(SimDevice device, SimInstance instance) {
    SimRequest prompt = device.prompt;
    device.running = null;
    device.prompt = null;
    long took = world.now() - device.stepBegan;
    world.recorder.step(device, instance, took);
    instance.function.shares.used(instance.function.number, took, world.now());
    if (instance.state == State.READY) {
      learn(instance, prompt, took);
      if (prompt == null) {
        decoded(instance);
      } else if (instance.prompts.contains(prompt)) {
        computed(instance, prompt);
      }
      instance.couldRunSince = world.now();
      boolean goesOn = --device.stepsLeft > 0 && instance.prompts.isEmpty();
      if (goesOn && instance.runnable()) {
        begin(instance);
      }
    }
    run(device);
  }

  private void learn(SimInstance instance, @Nullable SimRequest prompt, long nanos) {
    if (!learns) {
      return;
    }
    RefinedProfile profile = instance.times;
    if (prompt != null) {
      profile.sawPrefill(prompt.tokens(), nanos);
    } else if (!instance.sequences.isEmpty()) {
      profile.sawDecode(instance.sequences.size(), instance.sequenceTokens(), nanos);
    }
  }

  private void computed(SimInstance instance, SimRequest prompt) {
    if (prompt.firstAt < 0) {
      prompt.firstAt = world.now();
    }
    prompt.queuedNanos += instance.device.stepBegan - prompt.since;
    instance.promptDone(prompt);
    if (prompt.produced == prompt.answerTokens) {
      world.finished(prompt, instance);
    }
  }

  private void decoded(SimInstance instance) {
    instance.decoded();
    for (int i = instance.sequences.size() - 1; i >= 0; i--) {
      SimRequest request = instance.sequences.get(i);
      if (request.produced == request.answerTokens) {
        world.finished(request, instance);
      } else if (request.tokens() >= request.neededTokens) {
        instance.reforecast(request, policy.neededTokens(request));
      }
    }
  }
}
