package dev.weft.bench.models;

import java.util.ArrayList;
import java.util.List;

/// The sizes of a decoder of the Llama kind, and its tensors.
///
/// @param qwen2 whether it is Qwen2's: biases on queries, keys and values
/// @param tied whether output and embedding are one matrix
public record ModelShape(
    String name,
    boolean qwen2,
    int vocabulary,
    int context,
    int layers,
    int hidden,
    int intermediate,
    int heads,
    int kvHeads,
    int headSize,
    double normEpsilon,
    double theta,
    boolean tied) {
  public static final ModelShape SMOLLM2_135M =
      new ModelShape("smollm2-135m", false, 49152, 8192, 30, 576, 1536, 9, 3, 64, 1e-5, 1e5);
  public static final ModelShape QWEN_0_5B =
      new ModelShape("qwen2.5-0.5b", true, 151_936, 32768, 24, 896, 4864, 14, 2, 64, 1e-6, 1e6);
  public static final ModelShape LLAMA_1B =
      new ModelShape("llama-3.2-1b", false, 128_256, 32768, 16, 2048, 8192, 32, 8, 64, 1e-5, 5e5);
  public static final ModelShape QWEN_1_5B =
      new ModelShape("qwen2.5-1.5b", true, 151_936, 32768, 28, 1536, 8960, 12, 2, 128, 1e-6, 1e6);

  /// Those that are measured on GPUs; whoever asks for all gets none of them.
  public static final ModelShape LLAMA_2_7B =
      new ModelShape(
          "llama-2-7b", false, 32000, 4096, 32, 4096, 11008, 32, 32, 128, 1e-5, 1e4, false);

  public static final ModelShape LLAMA_3_1_8B =
      new ModelShape(
          "llama-3.1-8b", false, 128_256, 131_072, 32, 4096, 14336, 32, 8, 128, 1e-5, 5e5, false);

  public static final List<ModelShape> ALL = List.of(SMOLLM2_135M, QWEN_0_5B, LLAMA_1B, QWEN_1_5B);

  /// One tensor; names are GGUF's, rows are in the order of Hugging Face.
  ///
  /// @param rows 1 for a vector
  public record TensorShape(String name, Role role, int rows, int columns) {
    public long elements() {
      return (long) rows * columns;
    }
  }

  /// What a tensor is, which says what values are sensible and which rows a format reorders.
  public enum Role {
    EMBEDDING,
    OUTPUT_SCALE,
    SCALE,
    BIAS,
    ROTATED,
    MATRIX
  }

  /// One whose output and embedding are one matrix.
  public ModelShape(
      String name,
      boolean qwen2,
      int vocabulary,
      int context,
      int layers,
      int hidden,
      int intermediate,
      int heads,
      int kvHeads,
      int headSize,
      double normEpsilon,
      double theta) {
    this(
        name,
        qwen2,
        vocabulary,
        context,
        layers,
        hidden,
        intermediate,
        heads,
        kvHeads,
        headSize,
        normEpsilon,
        theta,
        true);
  }

  public String architecture() {
    return qwen2 ? "qwen2" : "llama";
  }

  /// All tensors, in the order of files.
  public List<TensorShape> tensors() {
    List<TensorShape> tensors = new ArrayList<>();
    tensors.add(new TensorShape("token_embd.weight", Role.EMBEDDING, vocabulary, hidden));
    for (int layer = 0; layer < layers; layer++) {
      addLayer(tensors, "blk." + layer + ".");
    }
    tensors.add(new TensorShape("output_norm.weight", Role.OUTPUT_SCALE, 1, hidden));
    if (!tied) {
      tensors.add(new TensorShape("output.weight", Role.MATRIX, vocabulary, hidden));
    }
    return tensors;
  }

  private void addLayer(List<TensorShape> tensors, String layer) {
    int queries = heads * headSize;
    int keys = kvHeads * headSize;
    tensors.add(new TensorShape(layer + "attn_norm.weight", Role.SCALE, 1, hidden));
    tensors.add(new TensorShape(layer + "attn_q.weight", Role.ROTATED, queries, hidden));
    tensors.add(new TensorShape(layer + "attn_k.weight", Role.ROTATED, keys, hidden));
    tensors.add(new TensorShape(layer + "attn_v.weight", Role.MATRIX, keys, hidden));
    if (qwen2) {
      tensors.add(new TensorShape(layer + "attn_q.bias", Role.BIAS, 1, queries));
      tensors.add(new TensorShape(layer + "attn_k.bias", Role.BIAS, 1, keys));
      tensors.add(new TensorShape(layer + "attn_v.bias", Role.BIAS, 1, keys));
    }
    tensors.add(new TensorShape(layer + "attn_output.weight", Role.MATRIX, hidden, queries));
    tensors.add(new TensorShape(layer + "ffn_norm.weight", Role.SCALE, 1, hidden));
    tensors.add(new TensorShape(layer + "ffn_gate.weight", Role.MATRIX, intermediate, hidden));
    tensors.add(new TensorShape(layer + "ffn_up.weight", Role.MATRIX, intermediate, hidden));
    tensors.add(new TensorShape(layer + "ffn_down.weight", Role.MATRIX, hidden, intermediate));
  }

  /// Elements of all matrices that a decode step reads: each once, and the embedding where it is
  /// the output.
  public long matrixElements() {
    return tensors().stream()
        .filter(tensor -> tensor.rows() > 1 && (tied || tensor.role() != Role.EMBEDDING))
        .mapToLong(TensorShape::elements)
        .sum();
  }

  /// The row in the order of Hugging Face that a GGUF file has at `row`: it turns neighbouring
  /// elements of a head, where Hugging Face turns an element and the one half a head further. Only
  /// Llama's converter reorders.
  public int huggingFaceRow(TensorShape tensor, int row) {
    if (qwen2 || tensor.role() != Role.ROTATED) {
      return row;
    }
    int element = row % headSize;
    return row - element + element % 2 * (headSize / 2) + element / 2;
  }

  /// The other way round.
  int ggufRow(TensorShape tensor, int row) {
    if (qwen2 || tensor.role() != Role.ROTATED) {
      return row;
    }
    int element = row % headSize;
    int half = headSize / 2;
    return row - element + element % half * 2 + element / half;
  }
}
