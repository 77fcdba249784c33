package dev.weft.runtime.backend;

import dev.weft.runtime.model.AdapterWeights;
import dev.weft.runtime.model.DecoderSpec;
import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Dequantizer;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.Weights;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;

/// Random adapters in memory, strong enough that each changes what a tiny model says.
public final class RandomAdapters {
  private RandomAdapters() {}

  /// An adapter of all matrices.
  public static AdapterWeights all(DecoderSpec spec, int rank, DType type, long seed) {
    return of(spec, AdapterWeights.PARTS, rank, type, seed);
  }

  /// An adapter of these parts of every layer.
  public static AdapterWeights of(
      DecoderSpec spec, List<String> parts, int rank, DType type, long seed) {
    var random = new SplittableRandom(seed);
    var deltas = new ArrayList<AdapterWeights.Delta>();
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      for (String part : parts) {
        int inputs = inputs(spec, part);
        String name = "blk." + layer + "." + part;
        // B A x of a vector of unit spread has about half its spread.
        Tensor a = tensor(name + ".lora_a", type, rank, inputs, 1 / Math.sqrt(inputs), random);
        Tensor b =
            tensor(
                name + ".lora_b", type, outputs(spec, part), rank, 0.5 / Math.sqrt(rank), random);
        deltas.add(new AdapterWeights.Delta(layer, part, a, b, 0.75f));
      }
    }
    return new AdapterWeights(deltas);
  }

  private static int inputs(DecoderSpec spec, String part) {
    return switch (part) {
      case "attn_output" -> spec.queryWidth();
      case "ffn_down" -> spec.intermediateSize();
      default -> spec.hiddenSize();
    };
  }

  private static int outputs(DecoderSpec spec, String part) {
    return switch (part) {
      case "attn_q" -> spec.queryWidth();
      case "attn_k", "attn_v" -> spec.kvWidth();
      case "ffn_gate", "ffn_up" -> spec.intermediateSize();
      default -> spec.hiddenSize();
    };
  }

  private static Tensor tensor(
      String name, DType type, int rows, int columns, double deviation, SplittableRandom random) {
    Shape shape = Shape.of(rows, columns);
    int count = Math.toIntExact(shape.elementCount());
    MemorySegment data = MemorySegment.ofArray(new byte[Math.toIntExact(type.byteSize(count))]);
    for (int i = 0; i < count; i++) {
      float value = (float) (deviation * random.nextGaussian());
      switch (type) {
        case F32 -> data.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * i, value);
        case F16 -> data.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i, Float.floatToFloat16(value));
        case BF16 ->
            data.set(
                ValueLayout.JAVA_SHORT_UNALIGNED,
                2L * i,
                (short) (Float.floatToRawIntBits(value) >>> 16));
        default -> throw new IllegalArgumentException("adapters are not stored as " + type);
      }
    }
    return new Tensor(name, type, shape, data);
  }

  /// The base with the adapter's changes written into its matrices, in float32.
  public static Weights merged(Weights base, AdapterWeights adapter) {
    Map<String, Tensor> changed = new HashMap<>();
    for (AdapterWeights.Delta delta : adapter.deltas()) {
      changed.put(delta.weightName(), merged(base.tensor(delta.weightName()), delta));
    }
    return new Weights() {
      @Override
      public Optional<Tensor> find(String name) {
        return Optional.ofNullable(changed.get(name)).or(() -> base.find(name));
      }

      @Override
      public Set<String> names() {
        return base.names();
      }

      @Override
      public long byteSize() {
        return names().stream().mapToLong(name -> tensor(name).data().byteSize()).sum();
      }

      @Override
      public void close() {
        // The base is its opener's.
      }
    };
  }

  private static Tensor merged(Tensor base, AdapterWeights.Delta delta) {
    float[] whole = Dequantizer.all(base);
    float[] a = Dequantizer.all(delta.a());
    float[] b = Dequantizer.all(delta.b());
    int inputs = Math.toIntExact(base.shape().rowLength());
    int rank = delta.rank();
    MemorySegment data = MemorySegment.ofArray(new byte[4 * whole.length]);
    for (int i = 0; i < whole.length; i++) {
      double sum = 0;
      for (int k = 0; k < rank; k++) {
        sum += (double) b[i / inputs * rank + k] * a[k * inputs + i % inputs];
      }
      float value = (float) (whole[i] + delta.scale() * sum);
      data.set(ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * i, value);
    }
    return new Tensor(base.name(), DType.F32, base.shape(), data);
  }
}
