package dev.weft.runtime.model;

import static dev.weft.runtime.model.TensorNames.EMBEDDING_NORM;
import static dev.weft.runtime.model.TensorNames.POSITION_EMBEDDING;
import static dev.weft.runtime.model.TensorNames.TOKEN_EMBEDDING;
import static dev.weft.runtime.model.TensorNames.TOKEN_TYPES;
import static dev.weft.runtime.model.TensorNames.bias;
import static dev.weft.runtime.model.TensorNames.weight;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// BERT encoders that embed texts.
final class BertFamily {
  static final NameTable NAMES =
      new NameTable(
          List.of("bert.", "0.auto_model."),
          Map.of(
              "embeddings.word_embeddings", "token_embd",
              "embeddings.position_embeddings", "position_embd",
              "embeddings.token_type_embeddings", "token_types",
              "embeddings.LayerNorm", "token_embd_norm"),
          "encoder.layer.",
          Map.of(
              "attention.self.query", "attn_q",
              "attention.self.key", "attn_k",
              "attention.self.value", "attn_v",
              "attention.output.dense", "attn_output",
              "attention.output.LayerNorm", "attn_output_norm",
              "intermediate.dense", "ffn_up",
              "output.dense", "ffn_down",
              "output.LayerNorm", "layer_output_norm"),
          // Positions are 0, 1, 2 ...; the pooler and the heads of pre-training come after the
          // token vectors that are pooled here.
          List.of(
              Pattern.compile("embeddings\\.position_ids"),
              Pattern.compile("pooler\\..*"),
              Pattern.compile("cls\\..*")));

  private static final ConfigKey VOCABULARY = new ConfigKey("vocab_size", "vocab_size");
  private static final ConfigKey CONTEXT =
      new ConfigKey("max_position_embeddings", "context_length");
  private static final ConfigKey LAYERS = new ConfigKey("num_hidden_layers", "block_count");
  private static final ConfigKey HIDDEN = new ConfigKey("hidden_size", "embedding_length");
  private static final ConfigKey INTERMEDIATE =
      new ConfigKey("intermediate_size", "feed_forward_length");
  private static final ConfigKey HEADS =
      new ConfigKey("num_attention_heads", "attention.head_count");
  private static final ConfigKey EPSILON =
      new ConfigKey("layer_norm_eps", "attention.layer_norm_epsilon");
  private static final ConfigKey ACTIVATION = new ConfigKey("hidden_act", "hidden_activation");
  private static final ConfigKey POSITIONS = new ConfigKey("position_embedding_type", "");
  private static final ConfigKey POOLING = new ConfigKey("", "pooling_type");

  private BertFamily() {}

  static EncoderSpec spec(String family, ModelInput input) {
    ConfigReader config = input.config();
    int hidden = config.count(HIDDEN, Bounds.WIDTH);
    int heads = config.count(HEADS, Bounds.HEADS);
    if (hidden % heads != 0) {
      throw config.failure(
          "the hidden size %d is not a multiple of %d heads".formatted(hidden, heads));
    }
    requireValue(config, ACTIVATION, "gelu");
    requireValue(config, POSITIONS, "absolute");
    int context = config.count(CONTEXT, Bounds.CONTEXT);
    int positions = input.rows(POSITION_EMBEDDING, Bounds.CONTEXT);
    if (context > positions) {
      throw config.failure(
          "the context of %d tokens is longer than the %d positions of '%s'"
              .formatted(context, positions, POSITION_EMBEDDING));
    }
    SentencePooling pooling = pooling(input, context);
    return new EncoderSpec(
        family,
        input.isGguf()
            ? input.rows(TOKEN_EMBEDDING, Bounds.VOCABULARY)
            : config.count(VOCABULARY, Bounds.VOCABULARY),
        pooling.contextLength(),
        config.count(LAYERS, Bounds.LAYERS),
        hidden,
        config.count(INTERMEDIATE, Bounds.WIDTH),
        heads,
        positions,
        config.positive(EPSILON, 1),
        pooling.pooling(),
        pooling.normalize());
  }

  static List<TensorRequirement> tensors(ModelSpec model) {
    EncoderSpec spec = (EncoderSpec) model;
    int hidden = spec.hiddenSize();
    List<TensorRequirement> tensors = new ArrayList<>();
    tensors.add(TensorRequirement.of(TOKEN_EMBEDDING, spec.vocabularySize(), hidden));
    tensors.add(TensorRequirement.of(POSITION_EMBEDDING, spec.maxPositions(), hidden));
    tensors.add(TensorRequirement.of(TOKEN_TYPES, TensorRequirement.ANY, hidden));
    norm(tensors, EMBEDDING_NORM + ".weight", EMBEDDING_NORM + ".bias", hidden);
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      for (String part : List.of("attn_q", "attn_k", "attn_v", "attn_output")) {
        linear(tensors, layer, part, hidden, hidden);
      }
      linear(tensors, layer, "ffn_up", spec.intermediateSize(), hidden);
      linear(tensors, layer, "ffn_down", hidden, spec.intermediateSize());
      for (String part : List.of("attn_output_norm", "layer_output_norm")) {
        norm(tensors, weight(layer, part), bias(layer, part), hidden);
      }
    }
    return tensors;
  }

  private static void linear(
      List<TensorRequirement> tensors, int layer, String part, int outputs, int inputs) {
    tensors.add(TensorRequirement.of(weight(layer, part), outputs, inputs));
    tensors.add(TensorRequirement.of(bias(layer, part), outputs));
  }

  private static void norm(
      List<TensorRequirement> tensors, String weight, String bias, int hidden) {
    tensors.add(TensorRequirement.of(weight, hidden));
    tensors.add(TensorRequirement.of(bias, hidden));
  }

  private static void requireValue(ConfigReader config, ConfigKey key, String expected) {
    String value = config.string(key).orElse(expected);
    if (!value.equals(expected)) {
      throw config.failure(
          "'%s' is '%s'; only '%s' is supported"
              .formatted(config.source().name(key), value, expected));
    }
  }

  private static SentencePooling pooling(ModelInput input, int context) {
    return input.directory().isPresent()
        ? SentencePooling.read(input.directory().get(), context)
        : ggufPooling(input.config(), context);
  }

  /// A GGUF file says how to pool and not whether to normalise; vectors are normalised, as
  /// llama.cpp's server does.
  private static SentencePooling ggufPooling(ConfigReader config, int context) {
    String name = config.source().name(POOLING);
    long type = config.source().integer(name).orElse(1);
    if (type != 1 && type != 2) {
      throw config.failure("'%s' is %d; 1 (mean) and 2 (CLS) are supported".formatted(name, type));
    }
    EncoderSpec.Pooling pooling = type == 1 ? EncoderSpec.Pooling.MEAN : EncoderSpec.Pooling.CLS;
    return new SentencePooling(pooling, true, context);
  }
}
