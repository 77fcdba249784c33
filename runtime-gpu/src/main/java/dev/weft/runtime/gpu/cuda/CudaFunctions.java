package dev.weft.runtime.gpu.cuda;

import java.util.List;

/// What [CudaDriver] calls.
final class CudaFunctions {
  static final List<String> NAMES =
      List.of(
          "cuCtxSetCurrent",
          "cuCtxSynchronize",
          "cuDeviceGet",
          "cuDeviceGetAttribute",
          "cuDeviceGetCount",
          "cuDeviceGetName",
          "cuDevicePrimaryCtxRelease_v2",
          "cuDevicePrimaryCtxRetain",
          "cuDeviceTotalMem_v2",
          "cuDriverGetVersion",
          "cuEventCreate",
          "cuEventDestroy_v2",
          "cuEventElapsedTime",
          "cuEventQuery",
          "cuEventRecord",
          "cuEventSynchronize",
          "cuFuncSetAttribute",
          "cuGetErrorName",
          "cuGetErrorString",
          "cuGraphDestroy",
          "cuGraphExecDestroy",
          "cuGraphInstantiateWithFlags",
          "cuGraphLaunch",
          "cuInit",
          "cuLaunchKernelEx",
          "cuMemAddressFree",
          "cuMemAddressReserve",
          "cuMemAlloc_v2",
          "cuMemCreate",
          "cuMemFreeHost",
          "cuMemFree_v2",
          "cuMemGetInfo_v2",
          "cuMemHostAlloc",
          "cuMemMap",
          "cuMemRelease",
          "cuMemSetAccess",
          "cuMemUnmap",
          "cuMemcpyDtoDAsync_v2",
          "cuMemcpyDtoHAsync_v2",
          "cuMemcpyDtoH_v2",
          "cuMemcpyHtoDAsync_v2",
          "cuMemcpyHtoD_v2",
          "cuMemsetD8Async",
          "cuModuleGetFunction",
          "cuModuleLoadData",
          "cuModuleUnload",
          "cuStreamBeginCapture_v2",
          "cuStreamCreate",
          "cuStreamDestroy_v2",
          "cuStreamEndCapture",
          "cuStreamSynchronize",
          "cuStreamWaitEvent",
          "cuTensorMapEncodeTiled");

  private CudaFunctions() {}
}
