package dev.weft.runtime.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.runtime.weights.GgufWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The tokenizers of tiny models, as files of Hugging Face and as GGUF metadata.
final class TinyTokenizers {
  static final String CHAT_TEMPLATE =
      "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content']"
          + " + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{"
          + " '<|im_start|>assistant\\n' }}{% endif %}";

  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final List<String> BPE_SPECIAL =
      List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>");
  private static final List<String> BERT_SPECIAL =
      List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]");

  /// Frequent characters, as byte-level BPE writes them (`\u0120` is the space); merges are pairs
  /// of them.
  private static final String FREQUENT = "\u0120etaoinshrdlucmf";

  private TinyTokenizers() {}

  /// Byte-level BPE.
  record Bpe(List<String> tokens, List<String> merges) {
    int bytesAndSpecials() {
      return BPE_SPECIAL.size() + 256;
    }
  }

  static Bpe bpe(int vocabulary) {
    List<String> tokens = new ArrayList<>(BPE_SPECIAL);
    List<String> merges = new ArrayList<>();
    for (int value = 0; value < 256; value++) {
      tokens.add(String.valueOf(byteCharacter(value)));
    }
    if (vocabulary < tokens.size()) {
      throw new IllegalArgumentException("vocabulary is below " + tokens.size());
    }
    for (int pair = 0; tokens.size() < vocabulary; pair++) {
      if (pair < FREQUENT.length() * FREQUENT.length()) {
        char first = FREQUENT.charAt(pair / FREQUENT.length());
        char second = FREQUENT.charAt(pair % FREQUENT.length());
        merges.add(first + " " + second);
        tokens.add("" + first + second);
      } else {
        tokens.add("<|reserved_" + tokens.size() + "|>");
      }
    }
    return new Bpe(tokens, merges);
  }

  static void putBpe(GgufWriter gguf, int vocabulary) {
    Bpe bpe = bpe(vocabulary);
    List<Integer> types = new ArrayList<>();
    for (String token : bpe.tokens()) {
      types.add(token.startsWith("<|") ? 3 : 1);
    }
    gguf.put("tokenizer.ggml.model", "gpt2")
        .put("tokenizer.ggml.pre", "smollm")
        .putStrings("tokenizer.ggml.tokens", bpe.tokens())
        .putIntegers("tokenizer.ggml.token_type", types)
        .putStrings("tokenizer.ggml.merges", bpe.merges())
        .put("tokenizer.ggml.bos_token_id", 1)
        .put("tokenizer.ggml.eos_token_id", 2)
        .put("tokenizer.ggml.unknown_token_id", 0)
        .put("tokenizer.ggml.padding_token_id", 2)
        .put("tokenizer.ggml.add_bos_token", false)
        .put("tokenizer.ggml.add_space_prefix", false)
        .put("tokenizer.chat_template", CHAT_TEMPLATE);
  }

  static void writeBpe(Path directory, int vocabulary) {
    Bpe bpe = bpe(vocabulary);
    ObjectNode json = MAPPER.createObjectNode().put("version", "1.0");
    ArrayNode added = json.putArray("added_tokens");
    for (int id = 0; id < bpe.tokens().size(); id++) {
      if (bpe.tokens().get(id).startsWith("<|")) {
        addSpecial(added, id, bpe.tokens().get(id));
      }
    }
    json.putNull("normalizer");
    ObjectNode pre = json.putObject("pre_tokenizer").put("type", "Sequence");
    ArrayNode steps = pre.putArray("pretokenizers");
    steps.addObject().put("type", "Digits").put("individual_digits", true);
    byteLevel(steps.addObject(), false);
    json.putNull("post_processor");
    byteLevel(json.putObject("decoder"), true);
    ObjectNode model = json.putObject("model").put("type", "BPE");
    model.putNull("dropout").putNull("unk_token").putNull("continuing_subword_prefix");
    model.putNull("end_of_word_suffix").put("fuse_unk", false).put("byte_fallback", false);
    vocabulary(model, bpe.tokens());
    ArrayNode merges = model.putArray("merges");
    bpe.merges().forEach(merges::add);
    write(directory.resolve("tokenizer.json"), json);

    ObjectNode config = MAPPER.createObjectNode().put("tokenizer_class", "PreTrainedTokenizerFast");
    config.put("bos_token", "<|im_start|>").put("eos_token", "<|im_end|>");
    config.put("chat_template", CHAT_TEMPLATE);
    write(directory.resolve("tokenizer_config.json"), config);
    write(
        directory.resolve("generation_config.json"),
        MAPPER.createObjectNode().put("bos_token_id", 1).put("eos_token_id", 2));
  }

  /// WordPiece: specials, letters and digits, their continuations, and a few words.
  static List<String> wordPieces() {
    List<String> tokens = new ArrayList<>(BERT_SPECIAL);
    for (String prefix : List.of("", "##")) {
      for (char c : "abcdefghijklmnopqrstuvwxyz0123456789".toCharArray()) {
        tokens.add(prefix + c);
      }
    }
    tokens.addAll(List.of(".", ",", "!", "?", "the", "cat", "sat", "on", "mat", "##ing", "##s"));
    return tokens;
  }

  /// GGUF marks the start of a word instead of its continuation.
  static void putWordPieces(GgufWriter gguf) {
    List<String> tokens = new ArrayList<>();
    List<Integer> types = new ArrayList<>();
    for (String token : wordPieces()) {
      boolean special = BERT_SPECIAL.contains(token);
      types.add(special ? 3 : 1);
      if (special) {
        tokens.add(token);
      } else {
        tokens.add(token.startsWith("##") ? token.substring(2) : "\u2581" + token);
      }
    }
    gguf.put("tokenizer.ggml.model", "bert")
        .put("tokenizer.ggml.pre", "jina-v2-en")
        .putStrings("tokenizer.ggml.tokens", tokens)
        .putIntegers("tokenizer.ggml.token_type", types)
        .put("tokenizer.ggml.bos_token_id", 2)
        .put("tokenizer.ggml.unknown_token_id", 1)
        .put("tokenizer.ggml.seperator_token_id", 3)
        .put("tokenizer.ggml.padding_token_id", 0);
  }

  static void writeWordPieces(Path directory) {
    List<String> tokens = wordPieces();
    ObjectNode json = MAPPER.createObjectNode().put("version", "1.0");
    ArrayNode added = json.putArray("added_tokens");
    for (int id = 0; id < BERT_SPECIAL.size(); id++) {
      addSpecial(added, id, BERT_SPECIAL.get(id));
    }
    ObjectNode normalizer = json.putObject("normalizer").put("type", "BertNormalizer");
    normalizer.put("clean_text", true).put("handle_chinese_chars", true);
    normalizer.putNull("strip_accents").put("lowercase", true);
    json.putObject("pre_tokenizer").put("type", "BertPreTokenizer");
    ObjectNode post = json.putObject("post_processor").put("type", "BertProcessing");
    post.putArray("sep").add("[SEP]").add(3);
    post.putArray("cls").add("[CLS]").add(2);
    json.putObject("decoder").put("type", "WordPiece").put("prefix", "##").put("cleanup", true);
    ObjectNode model = json.putObject("model").put("type", "WordPiece");
    model.put("unk_token", "[UNK]").put("continuing_subword_prefix", "##");
    model.put("max_input_chars_per_word", 100);
    vocabulary(model, tokens);
    write(directory.resolve("tokenizer.json"), json);
    ObjectNode config = MAPPER.createObjectNode().put("tokenizer_class", "BertTokenizer");
    config.put("cls_token", "[CLS]").put("sep_token", "[SEP]").put("pad_token", "[PAD]");
    config.put("unk_token", "[UNK]").put("mask_token", "[MASK]").put("do_lower_case", true);
    write(directory.resolve("tokenizer_config.json"), config);
  }

  static void write(Path file, Object json) {
    try {
      Files.writeString(file, MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(json));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void addSpecial(ArrayNode added, int id, String content) {
    ObjectNode token = added.addObject().put("id", id).put("content", content);
    token.put("single_word", false).put("lstrip", false).put("rstrip", false);
    token.put("normalized", false).put("special", true);
  }

  private static void byteLevel(ObjectNode node, boolean addPrefixSpace) {
    node.put("type", "ByteLevel").put("add_prefix_space", addPrefixSpace);
    node.put("trim_offsets", true).put("use_regex", true);
  }

  private static void vocabulary(ObjectNode model, List<String> tokens) {
    ObjectNode vocabulary = model.putObject("vocab");
    for (int id = 0; id < tokens.size(); id++) {
      vocabulary.put(tokens.get(id), id);
    }
  }

  /// GPT-2's printable character for a byte: itself where it is printable, else from U+0100 on.
  private static char byteCharacter(int value) {
    int shifted = 256;
    for (int other = 0; other <= value; other++) {
      boolean printable =
          (other >= '!' && other <= '~')
              || (other >= 0xA1 && other <= 0xAC)
              || (other >= 0xAE && other <= 0xFF);
      if (other == value) {
        return (char) (printable ? value : shifted);
      }
      if (!printable) {
        shifted++;
      }
    }
    throw new IllegalArgumentException("not a byte: " + value);
  }
}
