package dev.weft.runtime.model;

import static dev.weft.runtime.model.TensorNames.OUTPUT;
import static dev.weft.runtime.model.TensorNames.OUTPUT_NORM;
import static dev.weft.runtime.model.TensorNames.TOKEN_EMBEDDING;
import static dev.weft.runtime.model.TensorNames.bias;
import static dev.weft.runtime.model.TensorNames.weight;

import dev.weft.runtime.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/// Llama and what shares its architecture.
final class LlamaFamily {
  static final NameTable NAMES =
      new NameTable(
          List.of(),
          Map.of(
              "model.embed_tokens", "token_embd",
              "model.norm", "output_norm",
              "lm_head", "output"),
          "model.layers.",
          Map.of(
              "input_layernorm", "attn_norm",
              "self_attn.q_proj", "attn_q",
              "self_attn.k_proj", "attn_k",
              "self_attn.v_proj", "attn_v",
              "self_attn.o_proj", "attn_output",
              "post_attention_layernorm", "ffn_norm",
              "mlp.gate_proj", "ffn_gate",
              "mlp.up_proj", "ffn_up",
              "mlp.down_proj", "ffn_down"),
          List.of(Pattern.compile("model\\.layers\\.\\d+\\.self_attn\\.rotary_emb\\.inv_freq")));

  /// The architecture whose GGUF files turn neighbouring elements of a head.
  static final Optional<String> INTERLEAVED = Optional.of("llama");

  private static final ConfigKey VOCABULARY = new ConfigKey("vocab_size", "vocab_size");
  private static final ConfigKey CONTEXT =
      new ConfigKey("max_position_embeddings", "context_length");
  private static final ConfigKey LAYERS = new ConfigKey("num_hidden_layers", "block_count");
  private static final ConfigKey HIDDEN = new ConfigKey("hidden_size", "embedding_length");
  private static final ConfigKey INTERMEDIATE =
      new ConfigKey("intermediate_size", "feed_forward_length");
  private static final ConfigKey HEADS =
      new ConfigKey("num_attention_heads", "attention.head_count");
  private static final ConfigKey KV_HEADS =
      new ConfigKey("num_key_value_heads", "attention.head_count_kv");
  private static final ConfigKey HEAD_SIZE = new ConfigKey("head_dim", "attention.key_length");
  private static final ConfigKey VALUE_SIZE = new ConfigKey("head_dim", "attention.value_length");
  private static final ConfigKey EPSILON =
      new ConfigKey("rms_norm_eps", "attention.layer_norm_rms_epsilon");
  private static final ConfigKey THETA = new ConfigKey("rope_theta", "rope.freq_base");
  private static final ConfigKey ROPE_DIMENSIONS = new ConfigKey("", "rope.dimension_count");
  private static final ConfigKey WINDOW =
      new ConfigKey("sliding_window", "attention.sliding_window");
  private static final ConfigKey USE_WINDOW = new ConfigKey("use_sliding_window", "");
  private static final ConfigKey ACTIVATION = new ConfigKey("hidden_act", "hidden_activation");
  private static final ConfigKey ATTENTION_BIAS = new ConfigKey("attention_bias", "");
  private static final ConfigKey TIED = new ConfigKey("tie_word_embeddings", "");
  private static final ConfigKey EXPERTS = new ConfigKey("num_local_experts", "expert_count");
  private static final ConfigKey PARTIAL_ROPE = new ConfigKey("partial_rotary_factor", "");
  private static final double DEFAULT_THETA = 10_000;

  private LlamaFamily() {}

  /// What transformers takes for a setting that a `config.json` leaves out, where that differs
  /// within the family.
  ///
  /// @param kvHeads 0 for as many as heads
  /// @param slidingWindow 0 for none
  /// @param attentionBias whether there are biases where no setting says so
  /// @param interleavedGguf whether a GGUF file turns neighbouring elements of a head (see
  ///   [DecoderSpec.Rope]): its converter reorders the rows of some families for it
  record Defaults(int kvHeads, int slidingWindow, boolean attentionBias, boolean interleavedGguf) {
    static final Defaults LLAMA = new Defaults(0, 0, false, true);
    static final Defaults MISTRAL = new Defaults(8, 4096, false, true);
    static final Defaults QWEN2 = new Defaults(32, 0, true, false);
  }

  static DecoderSpec spec(String family, ModelInput input, Defaults defaults) {
    ConfigReader config = input.config();
    if (config.source().integer(config.source().name(EXPERTS)).orElse(0) > 0) {
      throw config.failure("the model is a mixture of experts, which is not supported");
    }
    int hidden = config.count(HIDDEN, Bounds.WIDTH);
    int heads = config.count(HEADS, Bounds.HEADS);
    int kvHeads = kvHeads(input, heads, defaults);
    int headSize = headSize(config, hidden, heads);
    return new DecoderSpec(
        family,
        vocabularySize(input),
        config.count(CONTEXT, Bounds.CONTEXT),
        config.count(LAYERS, Bounds.LAYERS),
        hidden,
        config.count(INTERMEDIATE, Bounds.WIDTH),
        heads,
        kvHeads,
        headSize,
        config.positive(EPSILON, 1),
        rope(input, headSize, defaults),
        activation(config),
        attentionBias(input, defaults),
        tied(input),
        slidingWindow(input, defaults));
  }

  static List<TensorRequirement> tensors(ModelSpec model) {
    DecoderSpec spec = (DecoderSpec) model;
    int hidden = spec.hiddenSize();
    List<TensorRequirement> tensors = new ArrayList<>();
    tensors.add(TensorRequirement.of(TOKEN_EMBEDDING, spec.vocabularySize(), hidden));
    tensors.add(TensorRequirement.of(OUTPUT_NORM, hidden));
    // A tied model's file may hold the same matrix once more.
    tensors.add(
        new TensorRequirement(OUTPUT, Shape.of(spec.vocabularySize(), hidden), spec.tiedOutput()));
    tensors.add(TensorRequirement.optional("rope_freqs.weight", spec.rope().dimensions() / 2));
    for (int layer = 0; layer < spec.layerCount(); layer++) {
      tensors.add(TensorRequirement.of(weight(layer, "attn_norm"), hidden));
      tensors.add(TensorRequirement.of(weight(layer, "attn_q"), spec.queryWidth(), hidden));
      tensors.add(TensorRequirement.of(weight(layer, "attn_k"), spec.kvWidth(), hidden));
      tensors.add(TensorRequirement.of(weight(layer, "attn_v"), spec.kvWidth(), hidden));
      tensors.add(TensorRequirement.of(weight(layer, "attn_output"), hidden, spec.queryWidth()));
      if (spec.attentionBias()) {
        tensors.add(TensorRequirement.of(bias(layer, "attn_q"), spec.queryWidth()));
        tensors.add(TensorRequirement.of(bias(layer, "attn_k"), spec.kvWidth()));
        tensors.add(TensorRequirement.of(bias(layer, "attn_v"), spec.kvWidth()));
      }
      tensors.add(TensorRequirement.of(weight(layer, "ffn_norm"), hidden));
      tensors.add(TensorRequirement.of(weight(layer, "ffn_gate"), spec.intermediateSize(), hidden));
      tensors.add(TensorRequirement.of(weight(layer, "ffn_up"), spec.intermediateSize(), hidden));
      tensors.add(TensorRequirement.of(weight(layer, "ffn_down"), hidden, spec.intermediateSize()));
    }
    return tensors;
  }

  /// A GGUF file need not say it: then it is the embedding's rows.
  private static int vocabularySize(ModelInput input) {
    ConfigReader config = input.config();
    if (!input.isGguf()) {
      return config.count(VOCABULARY, Bounds.VOCABULARY);
    }
    return config
        .optionalCount(VOCABULARY, Bounds.VOCABULARY)
        .orElseGet(() -> input.rows(TOKEN_EMBEDDING, Bounds.VOCABULARY));
  }

  private static int kvHeads(ModelInput input, int heads, Defaults defaults) {
    boolean asHeads = input.isGguf() || defaults.kvHeads() == 0;
    int kvHeads =
        input.config().count(KV_HEADS, Bounds.HEADS, asHeads ? heads : defaults.kvHeads());
    if (heads % kvHeads != 0) {
      throw input
          .config()
          .failure("%d heads are not a multiple of %d KV heads".formatted(heads, kvHeads));
    }
    return kvHeads;
  }

  private static int headSize(ConfigReader config, int hidden, int heads) {
    Optional<Integer> explicit = config.optionalCount(HEAD_SIZE, Bounds.HEAD_SIZE);
    if (explicit.isEmpty() && hidden % heads != 0) {
      throw config.failure(
          "the hidden size %d is not a multiple of %d heads".formatted(hidden, heads));
    }
    int headSize = explicit.orElse(hidden / heads);
    int valueSize = config.count(VALUE_SIZE, Bounds.HEAD_SIZE, headSize);
    if (valueSize != headSize) {
      throw config.failure(
          "keys of %d and values of %d elements a head are not supported"
              .formatted(headSize, valueSize));
    }
    if ((long) headSize * heads > Bounds.WIDTH) {
      throw config.failure(
          "%d heads of %d are wider than %d".formatted(heads, headSize, Bounds.WIDTH));
    }
    return headSize;
  }

  private static DecoderSpec.Rope rope(ModelInput input, int headSize, Defaults defaults) {
    ConfigReader config = input.config();
    int dimensions =
        input.isGguf() ? config.count(ROPE_DIMENSIONS, Bounds.HEAD_SIZE, headSize) : headSize;
    if (dimensions % 2 != 0 || dimensions > headSize) {
      throw config.failure(
          "%d of a head's %d elements cannot be turned in pairs".formatted(dimensions, headSize));
    }
    return switch (config.source()) {
      case JsonConfig json -> huggingFaceRope(json, config, dimensions);
      case GgufConfig _ -> {
        double theta =
            config
                .optionalPositive(config.source().name(THETA), Bounds.ROPE_THETA)
                .orElse(DEFAULT_THETA);
        List<Float> factors = RopeScaling.gguf(input, dimensions);
        yield new DecoderSpec.Rope(theta, dimensions, defaults.interleavedGguf(), factors);
      }
    };
  }

  private static DecoderSpec.Rope huggingFaceRope(
      JsonConfig json, ConfigReader config, int dimensions) {
    if (json.number(PARTIAL_ROPE.huggingFace()).orElse(1) != 1) {
      throw config.failure("'%s' is not supported".formatted(PARTIAL_ROPE.huggingFace()));
    }
    Optional<JsonConfig> scaling =
        json.child("rope_parameters").or(() -> json.child("rope_scaling"));
    ConfigReader parameters = scaling.map(ConfigReader::new).orElse(config);
    double theta =
        parameters
            .optionalPositive("rope_theta", Bounds.ROPE_THETA)
            .orElseGet(() ->
                config.optionalPositive("rope_theta", Bounds.ROPE_THETA).orElse(DEFAULT_THETA));
    List<Float> factors = RopeScaling.huggingFace(scaling, theta, dimensions);
    return new DecoderSpec.Rope(theta, dimensions, false, factors);
  }

  private static DecoderSpec.Activation activation(ConfigReader config) {
    String name = config.string(ACTIVATION).orElse("silu");
    return switch (name) {
      case "silu", "swish" -> DecoderSpec.Activation.SILU;
      case "gelu_pytorch_tanh", "gelu_new" -> DecoderSpec.Activation.GELU_TANH;
      default ->
          throw config.failure(
              "the activation '%s' is not supported; silu and gelu_pytorch_tanh are"
                  .formatted(name));
    };
  }

  private static boolean attentionBias(ModelInput input, Defaults defaults) {
    return input.isGguf()
        ? defaults.attentionBias() || input.weights().find(bias(0, "attn_q")).isPresent()
        : input.config().flag(ATTENTION_BIAS, defaults.attentionBias());
  }

  private static boolean tied(ModelInput input) {
    return input.isGguf()
        ? input.weights().find(OUTPUT).isEmpty()
        : input.config().flag(TIED, false);
  }

  /// Absent and null differ here: null is no window, absent is transformers' default. A window that
  /// is switched off (Qwen2) is none; one in some layers only is not supported.
  private static int slidingWindow(ModelInput input, Defaults defaults) {
    ConfigReader config = input.config();
    if (config.source() instanceof JsonConfig json && json.has(USE_WINDOW.huggingFace())) {
      if (config.flag(USE_WINDOW, false)) {
        throw config.failure("'%s' is not supported".formatted(USE_WINDOW.huggingFace()));
      }
      return 0;
    }
    boolean absent =
        config.source() instanceof JsonConfig json && !json.object().has(WINDOW.huggingFace());
    return config.count(WINDOW, Bounds.CONTEXT, absent ? defaults.slidingWindow() : 0);
  }
}
