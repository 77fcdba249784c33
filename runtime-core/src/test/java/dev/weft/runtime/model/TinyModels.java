package dev.weft.runtime.model;

import java.nio.file.Path;

/// Small models with random weights, written to a directory as GGUF or safetensors, with working
/// tokenizers. The same settings and seed give the same model in both formats, whatever the element
/// type: what GGUF stores quantised, safetensors stores as the float32 values that it stands for.
///
/// ```java
/// Path file = TinyModels.llama(directory, 7).hidden(64).layers(2).dtype(DType.Q4_1).writeGguf();
/// Path directory = TinyModels.llama(directory, 7).writeSafetensors();
/// ```
public final class TinyModels {
  private TinyModels() {}

  /// A decoder with a byte-level BPE tokenizer and a ChatML template; token 0 is `<|endoftext|>`, 1
  /// `<|im_start|>`, 2 `<|im_end|>` (which ends a turn), then the 256 bytes in order, then merges.
  public static TinyLlama llama(Path directory, long seed) {
    return new TinyLlama(directory, seed);
  }

  /// A sentence encoder with a WordPiece tokenizer, mean pooling and normalised vectors.
  public static TinyBert bert(Path directory, long seed) {
    return new TinyBert(directory, seed);
  }
}
