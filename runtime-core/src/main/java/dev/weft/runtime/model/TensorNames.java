package dev.weft.runtime.model;

/// Canonical tensor names: GGUF's. Safetensors names are translated to them by the family's record.
///
/// Decoders: `token_embd.weight`, `output_norm.weight`, `output.weight` (absent when tied), and per
/// layer `blk.N.{attn_norm, attn_q, attn_k, attn_v, attn_output, ffn_norm, ffn_gate, ffn_up,
/// ffn_down}.weight` (`.bias` where the family has biases). Encoders: `token_embd.weight`,
/// `position_embd.weight`, `token_types.weight`, `token_embd_norm.{weight,bias}`, and per layer
/// `blk.N.{attn_q, attn_k, attn_v, attn_output, attn_output_norm, ffn_up, ffn_down,
/// layer_output_norm}.{weight,bias}`.
public final class TensorNames {
  public static final String TOKEN_EMBEDDING = "token_embd.weight";
  public static final String OUTPUT_NORM = "output_norm.weight";
  public static final String OUTPUT = "output.weight";
  public static final String POSITION_EMBEDDING = "position_embd.weight";
  public static final String TOKEN_TYPES = "token_types.weight";
  public static final String EMBEDDING_NORM = "token_embd_norm";

  private TensorNames() {}

  /// `blk.<layer>.<part>.weight`.
  public static String weight(int layer, String part) {
    return "blk." + layer + "." + part + ".weight";
  }

  /// `blk.<layer>.<part>.bias`.
  public static String bias(int layer, String part) {
    return "blk." + layer + "." + part + ".bias";
  }
}
