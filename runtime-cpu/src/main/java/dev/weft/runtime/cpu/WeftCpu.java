package dev.weft.runtime.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.foreign.NativeLibrary;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/// Links the functions of `libweftcpu.so` (`src/main/native/weft.h`). Statuses become
/// [NativeException] or null addresses' exceptions here and nowhere else.
final class WeftCpu {
  /// What `weft_abi` must return: raised with every change of the header.
  static final int ABI = 11;

  private final MethodHandle isa;
  private final MethodHandle deviceOpen;
  private final MethodHandle deviceClose;
  private final MethodHandle matrixPack;
  private final MethodHandle layout;
  private final MethodHandle mapHuge;
  private final MethodHandle willNeed;
  private final MethodHandle unhurried;
  private final MethodHandle matrixData;
  private final MethodHandle matrixWrap;
  private final MethodHandle matrixFree;
  private final MethodHandle matrixBytes;
  private final MethodHandle matmul;
  private final MethodHandle dequantize;
  private final MethodHandle decoderBytes;
  private final MethodHandle decoderCreate;
  private final MethodHandle decoderMatrix;
  private final MethodHandle decoderVector;
  private final MethodHandle decoderStep;
  private final MethodHandle decoderMove;
  private final MethodHandle decoderSave;
  private final MethodHandle decoderLoad;
  private final MethodHandle decoderFree;
  private final MethodHandle adapterCreate;
  private final MethodHandle adapterSet;
  private final MethodHandle adapterBytes;
  private final MethodHandle adapterFree;
  private final MethodHandle encoderBytes;
  private final MethodHandle encoderCreate;
  private final MethodHandle encoderMatrix;
  private final MethodHandle encoderVector;
  private final MethodHandle encoderForward;
  private final MethodHandle encoderFree;

  private WeftCpu(NativeLibrary library) {
    isa = library.function("weft_isa", JAVA_INT);
    deviceOpen =
        library.function(
            "weft_device_open", ADDRESS, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);
    deviceClose = library.procedure("weft_device_close", ADDRESS);
    matrixPack =
        library.function(
            "weft_matrix_pack", ADDRESS, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_INT);
    mapHuge = library.procedure("weft_map_huge", ADDRESS, JAVA_LONG);
    willNeed = library.procedure("weft_will_need", ADDRESS, JAVA_LONG);
    unhurried = library.procedure("weft_unhurried");
    layout = library.function("weft_layout", JAVA_INT);
    matrixData = library.function("weft_matrix_data", ADDRESS, ADDRESS);
    matrixWrap =
        library.function(
            "weft_matrix_wrap", ADDRESS, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_INT);
    matrixFree = library.procedure("weft_matrix_free", ADDRESS);
    matrixBytes =
        library.function("weft_matrix_bytes", JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT);
    matmul =
        library.function("weft_matmul", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS);
    dequantize =
        library.function("weft_dequantize", JAVA_INT, JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS);
    decoderBytes = library.function("weft_decoder_bytes", JAVA_LONG, ADDRESS, ADDRESS);
    decoderCreate = library.function("weft_decoder_create", ADDRESS, ADDRESS, ADDRESS);
    decoderMatrix =
        library.function("weft_decoder_matrix", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT, ADDRESS);
    decoderVector =
        library.function(
            "weft_decoder_vector", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
    decoderStep = library.function("weft_decoder_step", JAVA_INT, ADDRESS, ADDRESS);
    decoderMove =
        library.function("weft_decoder_move", JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG);
    decoderSave =
        library.function(
            "weft_decoder_save", JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG);
    decoderLoad =
        library.function(
            "weft_decoder_load", JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG);
    decoderFree = library.procedure("weft_decoder_free", ADDRESS);
    adapterCreate = library.function("weft_adapter_create", ADDRESS, JAVA_LONG);
    adapterSet =
        library.function("weft_adapter_set", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT, ADDRESS);
    adapterBytes = library.function("weft_adapter_bytes", JAVA_LONG, ADDRESS);
    adapterFree = library.procedure("weft_adapter_free", ADDRESS);
    encoderBytes = library.function("weft_encoder_bytes", JAVA_LONG, ADDRESS, ADDRESS);
    encoderCreate = library.function("weft_encoder_create", ADDRESS, ADDRESS, ADDRESS);
    encoderMatrix =
        library.function("weft_encoder_matrix", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT, ADDRESS);
    encoderVector =
        library.function(
            "weft_encoder_vector",
            JAVA_INT,
            ADDRESS,
            JAVA_LONG,
            JAVA_INT,
            JAVA_INT,
            ADDRESS,
            JAVA_LONG);
    encoderForward =
        library.function(
            "weft_encoder_forward",
            JAVA_INT,
            ADDRESS,
            JAVA_LONG,
            JAVA_LONG,
            ADDRESS,
            ADDRESS,
            ADDRESS);
    encoderFree = library.procedure("weft_encoder_free", ADDRESS);
  }

  /// Loads and links.
  ///
  /// @throws NativeException when the file cannot be loaded or is of another version
  static WeftCpu open(Path file) {
    NativeLibrary library = NativeLibrary.open(file);
    int abi;
    try {
      abi = (int) library.function("weft_abi", JAVA_INT).invokeExact();
    } catch (Throwable t) {
      throw failed("weft_abi", t);
    }
    if (abi != ABI) {
      throw new NativeException(
          library.name(), "is of version %d, this runtime needs %d".formatted(abi, ABI));
    }
    return new WeftCpu(library);
  }

  int isa() {
    try {
      return (int) isa.invokeExact();
    } catch (Throwable t) {
      throw failed("weft_isa", t);
    }
  }

  MemorySegment deviceOpen(int isa, int threads, MemorySegment cpus, int cpuCount, int spins) {
    MemorySegment device;
    try {
      device = (MemorySegment) deviceOpen.invokeExact(isa, threads, cpus, cpuCount, spins);
    } catch (Throwable t) {
      throw failed("weft_device_open", t);
    }
    return notNull("weft_device_open", device);
  }

  void deviceClose(MemorySegment device) {
    try {
      deviceClose.invokeExact(device);
    } catch (Throwable t) {
      throw failed("weft_device_close", t);
    }
  }

  MemorySegment matrixPack(int dtype, MemorySegment data, long outputs, long inputs, int packing) {
    MemorySegment matrix;
    try {
      matrix = (MemorySegment) matrixPack.invokeExact(dtype, data, outputs, inputs, packing);
    } catch (Throwable t) {
      throw failed("weft_matrix_pack", t);
    }
    return notNull("weft_matrix_pack", matrix);
  }

  /// The version of the packed layout.
  int layout() {
    try {
      return (int) layout.invokeExact();
    } catch (Throwable t) {
      throw failed("weft_layout", t);
    }
  }

  /// Asks for huge pages under a mapped file.
  void mapHuge(MemorySegment mapped) {
    try {
      mapHuge.invokeExact(mapped, mapped.byteSize());
    } catch (Throwable t) {
      throw failed("weft_map_huge", t);
    }
  }

  /// Begins to read what is not in memory of a mapped file.
  void willNeed(MemorySegment mapped) {
    try {
      willNeed.invokeExact(mapped, mapped.byteSize());
    } catch (Throwable t) {
      throw failed("weft_will_need", t);
    }
  }

  /// Makes this thread give way to others.
  void unhurried() {
    try {
      unhurried.invokeExact();
    } catch (Throwable t) {
      throw failed("weft_unhurried", t);
    }
  }

  /// The packed bytes of a matrix, without their size.
  MemorySegment matrixData(MemorySegment matrix) {
    try {
      return (MemorySegment) matrixData.invokeExact(matrix);
    } catch (Throwable t) {
      throw failed("weft_matrix_data", t);
    }
  }

  MemorySegment matrixWrap(int dtype, MemorySegment data, long outputs, long inputs, int packing) {
    MemorySegment matrix;
    try {
      matrix = (MemorySegment) matrixWrap.invokeExact(dtype, data, outputs, inputs, packing);
    } catch (Throwable t) {
      throw failed("weft_matrix_wrap", t);
    }
    return notNull("weft_matrix_wrap", matrix);
  }

  void matrixFree(MemorySegment matrix) {
    try {
      matrixFree.invokeExact(matrix);
    } catch (Throwable t) {
      throw failed("weft_matrix_free", t);
    }
  }

  /// Bytes of the packed matrix, or -1 when the type cannot have this shape.
  long matrixBytes(int dtype, long outputs, long inputs, int packing) {
    try {
      return (long) matrixBytes.invokeExact(dtype, outputs, inputs, packing);
    } catch (Throwable t) {
      throw failed("weft_matrix_bytes", t);
    }
  }

  void matmul(
      MemorySegment device, MemorySegment matrix, MemorySegment x, long rows, MemorySegment y) {
    int status;
    try {
      status = (int) matmul.invokeExact(device, matrix, x, rows, y);
    } catch (Throwable t) {
      throw failed("weft_matmul", t);
    }
    check("weft_matmul", status);
  }

  void dequantize(int dtype, MemorySegment data, long count, MemorySegment out) {
    int status;
    try {
      status = (int) dequantize.invokeExact(dtype, data, count, out);
    } catch (Throwable t) {
      throw failed("weft_dequantize", t);
    }
    check("weft_dequantize", status);
  }

  long decoderBytes(MemorySegment device, MemorySegment config) {
    try {
      return (long) decoderBytes.invokeExact(device, config);
    } catch (Throwable t) {
      throw failed("weft_decoder_bytes", t);
    }
  }

  MemorySegment decoderCreate(MemorySegment device, MemorySegment config) {
    MemorySegment decoder;
    try {
      decoder = (MemorySegment) decoderCreate.invokeExact(device, config);
    } catch (Throwable t) {
      throw failed("weft_decoder_create", t);
    }
    return notNull("weft_decoder_create", decoder);
  }

  void decoderMatrix(MemorySegment decoder, long layer, int role, MemorySegment matrix) {
    int status;
    try {
      status = (int) decoderMatrix.invokeExact(decoder, layer, role, matrix);
    } catch (Throwable t) {
      throw failed("weft_decoder_matrix", t);
    }
    check("weft_decoder_matrix", status);
  }

  void decoderVector(
      MemorySegment decoder, long layer, int role, MemorySegment values, long count) {
    int status;
    try {
      status = (int) decoderVector.invokeExact(decoder, layer, role, values, count);
    } catch (Throwable t) {
      throw failed("weft_decoder_vector", t);
    }
    check("weft_decoder_vector", status);
  }

  void decoderStep(MemorySegment decoder, MemorySegment step) {
    int status;
    try {
      status = (int) decoderStep.invokeExact(decoder, step);
    } catch (Throwable t) {
      throw failed("weft_decoder_step", t);
    }
    check("weft_decoder_step", status);
  }

  void decoderMove(MemorySegment decoder, MemorySegment from, MemorySegment to, long count) {
    int status;
    try {
      status = (int) decoderMove.invokeExact(decoder, from, to, count);
    } catch (Throwable t) {
      throw failed("weft_decoder_move", t);
    }
    check("weft_decoder_move", status);
  }

  void decoderSave(
      MemorySegment decoder, MemorySegment blocks, long count, MemorySegment target, long stride) {
    int status;
    try {
      status = (int) decoderSave.invokeExact(decoder, blocks, count, target, stride);
    } catch (Throwable t) {
      throw failed("weft_decoder_save", t);
    }
    check("weft_decoder_save", status);
  }

  void decoderLoad(
      MemorySegment decoder, MemorySegment blocks, long count, MemorySegment source, long stride) {
    int status;
    try {
      status = (int) decoderLoad.invokeExact(decoder, blocks, count, source, stride);
    } catch (Throwable t) {
      throw failed("weft_decoder_load", t);
    }
    check("weft_decoder_load", status);
  }

  void decoderFree(MemorySegment decoder) {
    try {
      decoderFree.invokeExact(decoder);
    } catch (Throwable t) {
      throw failed("weft_decoder_free", t);
    }
  }

  MemorySegment adapterCreate(long layers) {
    MemorySegment adapter;
    try {
      adapter = (MemorySegment) adapterCreate.invokeExact(layers);
    } catch (Throwable t) {
      throw failed("weft_adapter_create", t);
    }
    return notNull("weft_adapter_create", adapter);
  }

  void adapterSet(MemorySegment adapter, long layer, int role, MemorySegment change) {
    int status;
    try {
      status = (int) adapterSet.invokeExact(adapter, layer, role, change);
    } catch (Throwable t) {
      throw failed("weft_adapter_set", t);
    }
    check("weft_adapter_set", status);
  }

  long adapterBytes(MemorySegment change) {
    try {
      return (long) adapterBytes.invokeExact(change);
    } catch (Throwable t) {
      throw failed("weft_adapter_bytes", t);
    }
  }

  void adapterFree(MemorySegment adapter) {
    try {
      adapterFree.invokeExact(adapter);
    } catch (Throwable t) {
      throw failed("weft_adapter_free", t);
    }
  }

  long encoderBytes(MemorySegment device, MemorySegment config) {
    try {
      return (long) encoderBytes.invokeExact(device, config);
    } catch (Throwable t) {
      throw failed("weft_encoder_bytes", t);
    }
  }

  MemorySegment encoderCreate(MemorySegment device, MemorySegment config) {
    MemorySegment encoder;
    try {
      encoder = (MemorySegment) encoderCreate.invokeExact(device, config);
    } catch (Throwable t) {
      throw failed("weft_encoder_create", t);
    }
    return notNull("weft_encoder_create", encoder);
  }

  void encoderMatrix(MemorySegment encoder, long layer, int role, MemorySegment matrix) {
    int status;
    try {
      status = (int) encoderMatrix.invokeExact(encoder, layer, role, matrix);
    } catch (Throwable t) {
      throw failed("weft_encoder_matrix", t);
    }
    check("weft_encoder_matrix", status);
  }

  void encoderVector(
      MemorySegment encoder, long layer, int role, int weight, MemorySegment values, long count) {
    int status;
    try {
      status = (int) encoderVector.invokeExact(encoder, layer, role, weight, values, count);
    } catch (Throwable t) {
      throw failed("weft_encoder_vector", t);
    }
    check("weft_encoder_vector", status);
  }

  void encoderForward(
      MemorySegment encoder,
      long scratch,
      long texts,
      MemorySegment rowOffsets,
      MemorySegment tokens,
      MemorySegment out) {
    int status;
    try {
      status = (int) encoderForward.invokeExact(encoder, scratch, texts, rowOffsets, tokens, out);
    } catch (Throwable t) {
      throw failed("weft_encoder_forward", t);
    }
    check("weft_encoder_forward", status);
  }

  void encoderFree(MemorySegment encoder) {
    try {
      encoderFree.invokeExact(encoder);
    } catch (Throwable t) {
      throw failed("weft_encoder_free", t);
    }
  }

  private static AssertionError failed(String function, Throwable cause) {
    return new AssertionError(function, cause);
  }

  private static MemorySegment notNull(String function, MemorySegment address) {
    if (address.address() == 0) {
      throw new NativeException(function, "failed: memory or threads are out");
    }
    return address;
  }

  private static void check(String function, int status) {
    switch (status) {
      case 0 -> {}
      case -1 -> throw NativeException.status(function, status, "memory is out");
      case -2 -> throw NativeException.status(function, status, "a part of the model is missing");
      case -3 ->
          throw NativeException.status(
              function, status, "a token, a block or the number of rows is out of range");
      default -> throw NativeException.status(function, status, "unknown");
    }
  }
}
