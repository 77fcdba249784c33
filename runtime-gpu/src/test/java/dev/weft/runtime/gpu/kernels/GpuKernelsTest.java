package dev.weft.runtime.gpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.gpu.nvrtc.Nvrtc;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Every kernel is machine code for each architecture that it is for, as NVRTC sees it. How fast
/// that would be does not matter here, so that it is made in seconds.
class GpuKernelsTest {
  private static final String QUICKLY = "--Ofast-compile=max";

  @ParameterizedTest
  @ValueSource(strings = {"sm_80", KernelSource.HOPPER})
  void everyUnitCompiles(String architecture) {
    Nvrtc nvrtc = nvrtc();
    List<String> options = new ArrayList<>(KernelSource.options(architecture));
    options.add(QUICKLY);
    Map<String, String> failures = new ConcurrentHashMap<>();
    List<KernelUnit> units =
        KernelUnit.all().stream().filter(unit -> unit.compilesFor(architecture)).toList();

    units.parallelStream()
        .forEach(unit -> {
          try {
            assertThat(nvrtc.compile(unit.text(), unit.name(), options)).isNotEmpty();
          } catch (NativeException e) {
            failures.put(unit.name(), String.valueOf(e.getMessage()));
          }
        });

    assertThat(new TreeMap<>(failures)).isEmpty();
  }

  private static Nvrtc nvrtc() {
    try {
      return FetchedNvrtc.open();
    } catch (IOException e) {
      return Assumptions.abort("without NVRTC nothing can be compiled: " + e.getMessage());
    }
  }
}
