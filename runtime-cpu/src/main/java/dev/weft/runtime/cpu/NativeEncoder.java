package dev.weft.runtime.cpu;

import dev.weft.runtime.backend.Backend.CompileOptions;
import dev.weft.runtime.backend.TextBatch;
import dev.weft.runtime.model.EncoderSpec;
import dev.weft.runtime.model.TensorNames;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// Owns a native encoder: its plan and its packed weights.
final class NativeEncoder implements AutoCloseable {
  // enum weft_encoder_role
  private static final List<String> LAYER_PARTS =
      List.of("attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down");
  private static final int ATTENTION_NORM = 6;
  private static final int OUTPUT_NORM = 7;
  private static final int EMBEDDING_NORM = 8;

  private static final int CONFIG_FIELDS = 17;

  private final CpuDevice device;
  private final PackedWeights weights;
  private final MemorySegment address;

  private NativeEncoder(CpuDevice device, PackedWeights weights, MemorySegment address) {
    this.device = device;
    this.weights = weights;
    this.address = address;
  }

  /// Packs the weights and prepares the plan. The weights stay open until this is closed.
  static NativeEncoder create(
      CpuDevice device,
      EncoderSpec spec,
      Weights weights,
      CompileOptions options,
      Packing packing) {
    PackedWeights packed = new PackedWeights(device, weights, packing);
    try (Arena scratch = Arena.ofConfined()) {
      int hidden = spec.hiddenSize();
      Tensor tokens = packed.table(TensorNames.TOKEN_EMBEDDING, spec.vocabularySize(), hidden);
      Tensor positions = packed.table(TensorNames.POSITION_EMBEDDING, spec.maxPositions(), hidden);
      Tensor types = types(weights, packed, hidden);
      MemorySegment config =
          new StructWriter(scratch, CONFIG_FIELDS)
              .integers(shape(spec, options, TextBatch.mostRows(spec, options)))
              .real(spec.normEpsilon())
              .address(packed.borrow(tokens))
              .address(packed.borrow(positions))
              .address(packed.borrow(types))
              .integers(
                  Natives.typeCode(tokens.dtype()),
                  Natives.typeCode(positions.dtype()),
                  Natives.typeCode(types.dtype()))
              .done();
      MemorySegment address = device.library().encoderCreate(device.address(), config);
      NativeEncoder encoder = new NativeEncoder(device, packed, address);
      try {
        encoder.load(spec);
        return encoder;
      } catch (RuntimeException | Error e) {
        device.library().encoderFree(address);
        throw e;
      }
    } catch (RuntimeException | Error e) {
      packed.close();
      throw e;
    }
  }

  private static Tensor types(Weights weights, PackedWeights packed, int hidden) {
    Shape shape = weights.tensor(TensorNames.TOKEN_TYPES).shape();
    return packed.table(TensorNames.TOKEN_TYPES, shape.rowCount(), hidden);
  }

  /// Bytes of scratch that a pass of so many rows takes.
  static long scratchBytes(CpuDevice device, EncoderSpec spec, CompileOptions options, int rows) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment config =
          new StructWriter(scratch, CONFIG_FIELDS)
              .integers(shape(spec, options, rows))
              .real(spec.normEpsilon())
              .integers(0, 0, 0, 0, 0, 0)
              .done();
      return device.library().encoderBytes(device.address(), config);
    }
  }

  private static long[] shape(EncoderSpec spec, CompileOptions options, int rows) {
    boolean mean =
        switch (spec.pooling()) {
          case MEAN -> true;
          case CLS -> false;
        };
    return new long[] {
      spec.vocabularySize(),
      spec.layerCount(),
      spec.hiddenSize(),
      spec.intermediateSize(),
      spec.headCount(),
      spec.maxPositions(),
      rows,
      options.maxSequences(),
      mean ? 1 : 0,
      spec.normalize() ? 1 : 0
    };
  }

  /// All projections of a model, in the order of `enum weft_encoder_role`.
  static List<PackedWeights.Projection> projections(EncoderSpec spec) {
    int hidden = spec.hiddenSize();
    int wide = spec.intermediateSize();
    int[] outputs = {hidden, hidden, hidden, hidden, wide, hidden};
    int[] inputs = {hidden, hidden, hidden, hidden, hidden, wide};
    var all = new ArrayList<PackedWeights.Projection>();
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      for (int role = 0; role < LAYER_PARTS.size(); role++) {
        String name = "blk." + layer + "." + LAYER_PARTS.get(role);
        all.add(new PackedWeights.Projection(layer, role, name, outputs[role], inputs[role]));
      }
    }
    return all;
  }

  private void load(EncoderSpec spec) {
    weights.pack(
        projections(spec),
        (projection, matrix) -> {
          int layer = projection.layer();
          device.library().encoderMatrix(address, layer, projection.role(), matrix);
          weights
              .findVector(projection.biasName(), projection.outputs())
              .ifPresent(bias -> set(layer, projection.role(), false, bias));
        });
    norm(-1, EMBEDDING_NORM, TensorNames.EMBEDDING_NORM, spec.hiddenSize());
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      String prefix = "blk." + layer + ".";
      norm(layer, ATTENTION_NORM, prefix + "attn_output_norm", spec.hiddenSize());
      norm(layer, OUTPUT_NORM, prefix + "layer_output_norm", spec.hiddenSize());
    }
  }

  private void norm(int layer, int role, String name, int size) {
    set(layer, role, true, weights.vector(name + ".weight", size));
    set(layer, role, false, weights.vector(name + ".bias", size));
  }

  private void set(int layer, int role, boolean weight, MemorySegment vector) {
    long count = vector.byteSize() / Float.BYTES;
    device.library().encoderVector(address, layer, role, weight ? 1 : 0, vector, count);
  }

  /// @param scratch where the pass computes
  void run(
      long scratch, int texts, MemorySegment rowOffsets, MemorySegment tokens, MemorySegment out) {
    device.library().encoderForward(address, scratch, texts, rowOffsets, tokens, out);
  }

  @Override
  public void close() {
    device.library().encoderFree(address);
    weights.close();
  }
}
