package dev.weft.autoscaler.simulation;

import dev.weft.autoscaler.admission.InstanceLoad;
import dev.weft.autoscaler.placement.ClusterLoad;
import dev.weft.autoscaler.profile.StepTimes;
import java.util.List;

/// An instance that would be made.
record NewInstance(SimFunction function, SimDevice device, long now, boolean knowsCaches)
    implements ClusterLoad.Fresh {
  @Override
  public long loadNanos() {
    return knowsCaches
        ? device.loadNanos(function)
        : device.spec.loadNanos(function.model.weightBytes());
  }

  @Override
  public StepTimes times() {
    return device.times(function.model);
  }

  @Override
  public long tokenNanos() {
    return function.target.tokenNanos();
  }

  @Override
  public int batch() {
    return 0;
  }

  @Override
  public long contextTokens() {
    return 0;
  }

  @Override
  public long neededTokens() {
    return 0;
  }

  @Override
  public long plannedTokens() {
    return 0;
  }

  @Override
  public long bytesPerToken() {
    return function.model.kvBytesPerToken();
  }

  @Override
  public long unplannedBytes() {
    return function.model.weightBytes() + device.spec.instanceBytes();
  }

  @Override
  public List<? extends InstanceLoad.Prompt> prompts() {
    return List.of();
  }

  @Override
  public long readyAt() {
    return now + loadNanos();
  }
}
