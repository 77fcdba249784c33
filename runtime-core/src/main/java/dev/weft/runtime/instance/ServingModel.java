package dev.weft.runtime.instance;

import dev.weft.functions.Limits;
import dev.weft.functions.RevisionId;
import dev.weft.runtime.engine.Engine.DecoderInstance;
import dev.weft.runtime.engine.Engine.EncoderInstance;
import dev.weft.runtime.tokenizer.Tokenizer;
import java.time.Instant;
import java.util.function.Supplier;

/// What a request needs of an instance that serves. Valid while its [Lease] is open.
public sealed interface ServingModel {
  /// What both kinds have.
  ///
  /// @param fingerprint differs whenever the same request might be answered differently
  record Common(
      RevisionId revision,
      String fingerprint,
      Instant readyAt,
      int contextLength,
      Limits limits,
      Tokenizer tokenizer) {}

  Common common();

  /// A model that writes text.
  ///
  /// @param kvIdentity what tells its keys and values from those of others; may read weights
  record Generator(
      Common common, DecoderInstance decoder, ChatSupport chat, Supplier<String> kvIdentity)
      implements ServingModel {}

  /// A model that makes vectors of texts.
  record Embedder(Common common, EncoderInstance encoder, int dimensions) implements ServingModel {}
}
