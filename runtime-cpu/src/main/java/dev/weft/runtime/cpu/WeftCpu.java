package dev.weft.runtime.cpu;

import static dev.weft.runtime.foreign.NativeFunction.address;

import dev.weft.runtime.foreign.NativeException;
import dev.weft.runtime.foreign.NativeFunction;
import dev.weft.runtime.foreign.NativeLibrary;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/// Links the functions of `libweftcpu.so` (`src/main/native/weft.h`). Statuses become
/// [NativeException] or null addresses' exceptions here and nowhere else.
final class WeftCpu {
  /// What `weft_abi` must return: raised with every change of the header.
  static final int ABI = 11;

  private final NativeFunction isa;
  private final NativeFunction deviceOpen;
  private final NativeFunction deviceClose;
  private final NativeFunction matrixPack;
  private final NativeFunction mapHuge;
  private final NativeFunction willNeed;
  private final NativeFunction unhurried;
  private final NativeFunction layout;
  private final NativeFunction matrixData;
  private final NativeFunction matrixWrap;
  private final NativeFunction matrixFree;
  private final NativeFunction matrixBytes;
  private final NativeFunction matmul;
  private final NativeFunction dequantize;
  private final NativeFunction decoderBytes;
  private final NativeFunction decoderCreate;
  private final NativeFunction decoderMatrix;
  private final NativeFunction decoderVector;
  private final NativeFunction decoderStep;
  private final NativeFunction decoderMove;
  private final NativeFunction decoderSave;
  private final NativeFunction decoderLoad;
  private final NativeFunction decoderFree;
  private final NativeFunction adapterCreate;
  private final NativeFunction adapterSet;
  private final NativeFunction adapterBytes;
  private final NativeFunction adapterFree;
  private final NativeFunction encoderBytes;
  private final NativeFunction encoderCreate;
  private final NativeFunction encoderMatrix;
  private final NativeFunction encoderVector;
  private final NativeFunction encoderForward;
  private final NativeFunction encoderFree;

  private WeftCpu(NativeLibrary library) {
    isa = library.function("weft_isa");
    deviceOpen = library.function("weft_device_open");
    deviceClose = library.function("weft_device_close");
    matrixPack = library.function("weft_matrix_pack");
    mapHuge = library.function("weft_map_huge");
    willNeed = library.function("weft_will_need");
    unhurried = library.function("weft_unhurried");
    layout = library.function("weft_layout");
    matrixData = library.function("weft_matrix_data");
    matrixWrap = library.function("weft_matrix_wrap");
    matrixFree = library.function("weft_matrix_free");
    matrixBytes = library.function("weft_matrix_bytes");
    matmul = library.function("weft_matmul");
    dequantize = library.function("weft_dequantize");
    decoderBytes = library.function("weft_decoder_bytes");
    decoderCreate = library.function("weft_decoder_create");
    decoderMatrix = library.function("weft_decoder_matrix");
    decoderVector = library.function("weft_decoder_vector");
    decoderStep = library.function("weft_decoder_step");
    decoderMove = library.function("weft_decoder_move");
    decoderSave = library.function("weft_decoder_save");
    decoderLoad = library.function("weft_decoder_load");
    decoderFree = library.function("weft_decoder_free");
    adapterCreate = library.function("weft_adapter_create");
    adapterSet = library.function("weft_adapter_set");
    adapterBytes = library.function("weft_adapter_bytes");
    adapterFree = library.function("weft_adapter_free");
    encoderBytes = library.function("weft_encoder_bytes");
    encoderCreate = library.function("weft_encoder_create");
    encoderMatrix = library.function("weft_encoder_matrix");
    encoderVector = library.function("weft_encoder_vector");
    encoderForward = library.function("weft_encoder_forward");
    encoderFree = library.function("weft_encoder_free");
  }

  /// Loads and links.
  ///
  /// @throws NativeException when the file cannot be loaded or is of another version
  static WeftCpu open(Path file) {
    NativeLibrary library = NativeLibrary.open(file);
    int abi = (int) library.function("weft_abi").call();
    if (abi != ABI) {
      throw new NativeException(
          library.name(), "is of version %d, this runtime needs %d".formatted(abi, ABI));
    }
    return new WeftCpu(library);
  }

  int isa() {
    return (int) isa.call();
  }

  MemorySegment deviceOpen(int isa, int threads, int spins) {
    return notNull(deviceOpen, deviceOpen.call(isa, threads, spins));
  }

  void deviceClose(MemorySegment device) {
    deviceClose.call(address(device));
  }

  MemorySegment matrixPack(int dtype, MemorySegment data, long outputs, long inputs, int packing) {
    return notNull(matrixPack, matrixPack.call(dtype, address(data), outputs, inputs, packing));
  }

  /// The version of the packed layout.
  int layout() {
    return (int) layout.call();
  }

  /// Asks for huge pages under a mapped file.
  void mapHuge(MemorySegment mapped) {
    mapHuge.call(address(mapped), mapped.byteSize());
  }

  /// Begins to read what is not in memory of a mapped file.
  void willNeed(MemorySegment mapped) {
    willNeed.call(address(mapped), mapped.byteSize());
  }

  /// Makes this thread give way to others.
  void unhurried() {
    unhurried.call();
  }

  /// The packed bytes of a matrix, without their size.
  MemorySegment matrixData(MemorySegment matrix) {
    return MemorySegment.ofAddress(matrixData.call(address(matrix)));
  }

  MemorySegment matrixWrap(int dtype, MemorySegment data, long outputs, long inputs, int packing) {
    return notNull(matrixWrap, matrixWrap.call(dtype, address(data), outputs, inputs, packing));
  }

  void matrixFree(MemorySegment matrix) {
    matrixFree.call(address(matrix));
  }

  /// Bytes of the packed matrix, or -1 when the type cannot have this shape.
  long matrixBytes(int dtype, long outputs, long inputs, int packing) {
    return matrixBytes.call(dtype, outputs, inputs, packing);
  }

  void matmul(
      MemorySegment device, MemorySegment matrix, MemorySegment x, long rows, MemorySegment y) {
    check(
        matmul, (int) matmul.call(address(device), address(matrix), address(x), rows, address(y)));
  }

  void dequantize(int dtype, MemorySegment data, long count, MemorySegment out) {
    check(dequantize, (int) dequantize.call(dtype, address(data), count, address(out)));
  }

  long decoderBytes(MemorySegment device, MemorySegment config) {
    return decoderBytes.call(address(device), address(config));
  }

  MemorySegment decoderCreate(MemorySegment device, MemorySegment config) {
    return notNull(decoderCreate, decoderCreate.call(address(device), address(config)));
  }

  void decoderMatrix(MemorySegment decoder, long layer, int role, MemorySegment matrix) {
    check(decoderMatrix, (int) decoderMatrix.call(address(decoder), layer, role, address(matrix)));
  }

  void decoderVector(
      MemorySegment decoder, long layer, int role, MemorySegment values, long count) {
    check(
        decoderVector,
        (int) decoderVector.call(address(decoder), layer, role, address(values), count));
  }

  void decoderStep(MemorySegment decoder, MemorySegment step) {
    check(decoderStep, (int) decoderStep.call(address(decoder), address(step)));
  }

  void decoderMove(MemorySegment decoder, MemorySegment from, MemorySegment to, long count) {
    check(decoderMove, (int) decoderMove.call(address(decoder), address(from), address(to), count));
  }

  void decoderSave(
      MemorySegment decoder, MemorySegment blocks, long count, MemorySegment target, long stride) {
    check(
        decoderSave,
        (int) decoderSave.call(address(decoder), address(blocks), count, address(target), stride));
  }

  void decoderLoad(
      MemorySegment decoder, MemorySegment blocks, long count, MemorySegment source, long stride) {
    check(
        decoderLoad,
        (int) decoderLoad.call(address(decoder), address(blocks), count, address(source), stride));
  }

  void decoderFree(MemorySegment decoder) {
    decoderFree.call(address(decoder));
  }

  MemorySegment adapterCreate(long layers) {
    return notNull(adapterCreate, adapterCreate.call(layers));
  }

  void adapterSet(MemorySegment adapter, long layer, int role, MemorySegment change) {
    check(adapterSet, (int) adapterSet.call(address(adapter), layer, role, address(change)));
  }

  long adapterBytes(MemorySegment change) {
    return adapterBytes.call(address(change));
  }

  void adapterFree(MemorySegment adapter) {
    adapterFree.call(address(adapter));
  }

  long encoderBytes(MemorySegment device, MemorySegment config) {
    return encoderBytes.call(address(device), address(config));
  }

  MemorySegment encoderCreate(MemorySegment device, MemorySegment config) {
    return notNull(encoderCreate, encoderCreate.call(address(device), address(config)));
  }

  void encoderMatrix(MemorySegment encoder, long layer, int role, MemorySegment matrix) {
    check(encoderMatrix, (int) encoderMatrix.call(address(encoder), layer, role, address(matrix)));
  }

  void encoderVector(
      MemorySegment encoder, long layer, int role, int weight, MemorySegment values, long count) {
    check(
        encoderVector,
        (int) encoderVector.call(address(encoder), layer, role, weight, address(values), count));
  }

  void encoderForward(
      MemorySegment encoder,
      long scratch,
      long texts,
      MemorySegment rowOffsets,
      MemorySegment tokens,
      MemorySegment out) {
    check(
        encoderForward,
        (int)
            encoderForward.call(
                address(encoder),
                scratch,
                texts,
                address(rowOffsets),
                address(tokens),
                address(out)));
  }

  void encoderFree(MemorySegment encoder) {
    encoderFree.call(address(encoder));
  }

  private static MemorySegment notNull(NativeFunction function, long address) {
    if (address == 0) {
      throw new NativeException(function.name(), "failed: memory or threads are out");
    }
    return MemorySegment.ofAddress(address);
  }

  private static void check(NativeFunction called, int status) {
    String function = called.name();
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
