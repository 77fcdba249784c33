package dev.weft.runtime.gpu.kernels;

/// Makes a device's machine code of a unit's kernels.
@FunctionalInterface
public interface KernelCompiler {
  /// @param architecture such as `sm_90a`
  byte[] compile(KernelUnit unit, String architecture);
}
