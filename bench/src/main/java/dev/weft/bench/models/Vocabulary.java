package dev.weft.bench.models;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.weft.bench.QuickstartModels;
import dev.weft.runtime.weights.GgufFile;
import dev.weft.runtime.weights.GgufMetadata;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// A byte-level BPE vocabulary: SmolLM2's, or that one with words added that no text is split into,
/// so that every token a model may choose has a text.
///
/// @param types GGUF's (1 normal, 3 control)
public record Vocabulary(
    List<String> tokens, List<Integer> types, List<String> merges, String chatTemplate) {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int CONTROL = 3;
  private static final int BOS = 1;
  private static final int EOS = 2;

  public Vocabulary {
    tokens = List.copyOf(tokens);
    types = List.copyOf(types);
    merges = List.copyOf(merges);
  }

  /// The vocabulary inside a GGUF file that has SmolLM2's.
  public static Vocabulary read(Path gguf) {
    try (GgufFile file = GgufFile.open(gguf)) {
      GgufMetadata metadata = file.metadata();
      return new Vocabulary(
          metadata.strings("tokenizer.ggml.tokens").orElseThrow(),
          metadata.integers("tokenizer.ggml.token_type").orElseThrow(),
          metadata.strings("tokenizer.ggml.merges").orElseThrow(),
          metadata.string("tokenizer.chat_template").orElseThrow());
    }
  }

  /// With words added until there are `count` tokens, or without the last ones and what is merged
  /// to them.
  Vocabulary sized(int count) {
    if (count < tokens.size()) {
      Set<String> kept = Set.copyOf(tokens.subList(0, count));
      return new Vocabulary(
          tokens.subList(0, count),
          types.subList(0, count),
          merges.stream().filter(merge -> kept.contains(merge.replace(" ", ""))).toList(),
          chatTemplate);
    }
    List<String> more = new ArrayList<>(tokens);
    List<Integer> moreTypes = new ArrayList<>(types);
    while (more.size() < count) {
      more.add("\u0120word" + more.size()); // U+0120 is the space in byte-level BPE
      moreTypes.add(1);
    }
    return new Vocabulary(more, moreTypes, merges, chatTemplate);
  }

  void put(GgufHeader header) {
    header.put("tokenizer.ggml.model", "gpt2");
    header.put("tokenizer.ggml.pre", "smollm");
    header.putStrings("tokenizer.ggml.tokens", tokens);
    header.putIntegers("tokenizer.ggml.token_type", types);
    header.putStrings("tokenizer.ggml.merges", merges);
    header.put("tokenizer.ggml.bos_token_id", BOS);
    header.put("tokenizer.ggml.eos_token_id", EOS);
    header.put("tokenizer.ggml.unknown_token_id", 0);
    header.put("tokenizer.ggml.padding_token_id", EOS);
    header.put("tokenizer.ggml.add_bos_token", false);
    header.put("tokenizer.ggml.add_space_prefix", false);
    header.put("tokenizer.chat_template", chatTemplate);
  }

  /// Writes SmolLM2's vocabulary. Argument: the file.
  public static void main(String[] arguments) throws IOException {
    read(QuickstartModels.smolLm2()).writeGguf(Path.of(arguments[0]));
  }

  /// Writes the vocabulary alone, as a GGUF file without tensors.
  private void writeGguf(Path file) throws IOException {
    GgufHeader header = new GgufHeader();
    put(header);
    Files.write(file, header.bytes());
  }

  /// Writes `tokenizer.json` and what stands beside it.
  void writeJson(Path directory) throws IOException {
    ObjectNode json = JSON.createObjectNode().put("version", "1.0");
    ArrayNode added = json.putArray("added_tokens");
    for (int id = 0; id < tokens.size(); id++) {
      if (types.get(id) == CONTROL) {
        ObjectNode token = added.addObject().put("id", id).put("content", tokens.get(id));
        token.put("single_word", false).put("lstrip", false).put("rstrip", false);
        token.put("normalized", false).put("special", true);
      }
    }
    json.putNull("normalizer");
    ArrayNode steps =
        json.putObject("pre_tokenizer").put("type", "Sequence").putArray("pretokenizers");
    steps.addObject().put("type", "Digits").put("individual_digits", true);
    byteLevel(steps.addObject());
    json.putNull("post_processor");
    byteLevel(json.putObject("decoder"));
    ObjectNode model = json.putObject("model").put("type", "BPE");
    model.putNull("dropout").putNull("unk_token").putNull("continuing_subword_prefix");
    model.putNull("end_of_word_suffix").put("fuse_unk", false).put("byte_fallback", false);
    ObjectNode ids = model.putObject("vocab");
    for (int id = 0; id < tokens.size(); id++) {
      ids.put(tokens.get(id), id);
    }
    model.set("merges", JSON.valueToTree(merges));
    JSON.writeValue(directory.resolve("tokenizer.json").toFile(), json);
    ObjectNode config = JSON.createObjectNode().put("tokenizer_class", "PreTrainedTokenizerFast");
    config.put("bos_token", tokens.get(BOS)).put("eos_token", tokens.get(EOS));
    config.put("chat_template", chatTemplate);
    JSON.writeValue(directory.resolve("tokenizer_config.json").toFile(), config);
    JSON.writeValue(
        directory.resolve("generation_config.json").toFile(),
        JSON.createObjectNode().put("bos_token_id", BOS).put("eos_token_id", EOS));
  }

  private static void byteLevel(ObjectNode node) {
    node.put("type", "ByteLevel").put("add_prefix_space", false);
    node.put("trim_offsets", true).put("use_regex", true);
  }
}
