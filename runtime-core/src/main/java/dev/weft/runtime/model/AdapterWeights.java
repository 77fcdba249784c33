package dev.weft.runtime.model;

import dev.weft.runtime.tensor.DType;
import dev.weft.runtime.tensor.Shape;
import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.ModelFormatException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// A low-rank adapter of a decoder (LoRA, Hu et al. 2021): some of its matrices `W` act as `W +
/// scale * B A`. Computed as `W x + B (scale * (A x))`, in float32 whatever the base is held in, so
/// that rows of one step may each have another adapter, or none.
public record AdapterWeights(List<Delta> deltas) {
  /// The matrices of a layer that an adapter may change.
  public static final List<String> PARTS =
      List.of("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down");

  /// The largest rank that backends need to be ready for.
  public static final int MAX_RANK = 1024;

  private static final Set<DType> TYPES = Set.of(DType.F32, DType.F16, DType.BF16);

  public AdapterWeights {
    deltas = List.copyOf(deltas);
  }

  /// What one matrix is changed by.
  ///
  /// @param layer of the decoder
  /// @param part one of [#PARTS]
  /// @param a `[rank, inputs]`, F32, F16 or BF16
  /// @param b `[outputs, rank]`, F32, F16 or BF16; for queries and keys in the order of the base's
  ///   rotary pairs
  public record Delta(int layer, String part, Tensor a, Tensor b, float scale) {
    public int rank() {
      return Math.toIntExact(a.shape().dimension(0));
    }

    /// The canonical name of the matrix that it changes.
    public String weightName() {
      return TensorNames.weight(layer, part);
    }
  }

  /// Bytes of all tensors, as they are in the files.
  public long byteSize() {
    return deltas.stream()
        .mapToLong(delta -> delta.a().data().byteSize() + delta.b().data().byteSize())
        .sum();
  }

  /// Throws [ModelFormatException], naming the tensor, unless each delta fits a matrix of `spec`,
  /// and no two the same one. Every backend asks before it reads them.
  public void requireFits(DecoderSpec spec) {
    Map<String, Shape> shapes = shapes(spec);
    Set<String> seen = new HashSet<>();
    for (Delta delta : deltas) {
      if (delta.layer() < 0 || delta.layer() >= spec.layerCount()) {
        throw new ModelFormatException(
            "the adapter changes layer %d; the base has %d layers"
                .formatted(delta.layer(), spec.layerCount()));
      }
      Shape whole = shapes.get(delta.part());
      if (whole == null || !seen.add(delta.weightName())) {
        throw new ModelFormatException(
            "the adapter changes '%s', which %s"
                .formatted(
                    delta.weightName(),
                    whole == null ? "cannot be changed" : "it changes already"));
      }
      int rank = requireRank(delta);
      require(delta.a(), Shape.of(rank, whole.dimension(1)));
      require(delta.b(), Shape.of(whole.dimension(0), rank));
    }
  }

  private static int requireRank(Delta delta) {
    Shape shape = delta.a().shape();
    if (shape.rank() != 2 || shape.dimension(0) < 1 || shape.dimension(0) > MAX_RANK) {
      throw new ModelFormatException(
          "the adapter's tensor '%s' has shape %s; ranks of 1 to %d are supported"
              .formatted(delta.a().name(), shape, MAX_RANK));
    }
    return delta.rank();
  }

  private static void require(Tensor tensor, Shape expected) {
    if (!tensor.shape().equals(expected)) {
      throw new ModelFormatException(
          "the adapter's tensor '%s' has shape %s; its base needs %s"
              .formatted(tensor.name(), tensor.shape(), expected));
    }
    if (!TYPES.contains(tensor.dtype())) {
      throw new ModelFormatException(
          "the adapter's tensor '%s' has type %s; F32, F16 and BF16 are supported"
              .formatted(tensor.name(), tensor.dtype()));
    }
  }

  private static Map<String, Shape> shapes(DecoderSpec spec) {
    int hidden = spec.hiddenSize();
    int wide = spec.intermediateSize();
    Map<String, Shape> shapes = new HashMap<>();
    shapes.put("attn_q", Shape.of(spec.queryWidth(), hidden));
    shapes.put("attn_k", Shape.of(spec.kvWidth(), hidden));
    shapes.put("attn_v", Shape.of(spec.kvWidth(), hidden));
    shapes.put("attn_output", Shape.of(hidden, spec.queryWidth()));
    shapes.put("ffn_gate", Shape.of(wide, hidden));
    shapes.put("ffn_up", Shape.of(wide, hidden));
    shapes.put("ffn_down", Shape.of(hidden, wide));
    return shapes;
  }
}
