package dev.weft.runtime.gpu;

import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.engine.EngineContractTest;
import org.junit.jupiter.api.condition.EnabledIf;

/// What a whole engine promises, on the device.
@EnabledIf(
    value = "dev.weft.runtime.gpu.RealGpu#isThere",
    disabledReason = "no usable NVIDIA driver, or no NVRTC")
class GpuEngineContractTest extends EngineContractTest {
  @Override
  protected Backend open() {
    return RealGpu.backend();
  }

  @Override
  protected boolean runsEncoders() {
    return false;
  }

  @Override
  protected boolean runsAdapters() {
    return false;
  }
}
