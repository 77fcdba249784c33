package dev.weft.runtime.weights;

import com.fasterxml.jackson.databind.JsonNode;
import dev.weft.runtime.tensor.Tensor;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// A model whose tensors are spread over several safetensors files, as its
/// `model.safetensors.index.json` says.
public final class ShardedSafetensors implements SafetensorsWeights {
  private static final long INDEX_BYTES_MAX = 100_000_000;
  private static final int SHARDS_MAX = 1024;

  private final List<SafetensorsFile> shards;
  private final Map<String, Tensor> tensors;

  private ShardedSafetensors(List<SafetensorsFile> shards, Map<String, Tensor> tensors) {
    this.shards = shards;
    this.tensors = tensors;
  }

  /// Maps and checks the index and every file it names, which lie beside it. Throws
  /// [ModelFormatException].
  public static ShardedSafetensors open(Path index) {
    String indexName = String.valueOf(index.getFileName());
    Map<String, String> weightMap = weightMap(index, indexName);
    Map<String, SafetensorsFile> shards = new LinkedHashMap<>();
    try {
      for (String shard : weightMap.values()) {
        if (!shards.containsKey(shard)) {
          if (shards.size() == SHARDS_MAX) {
            throw failure(indexName, "it names more than %d files".formatted(SHARDS_MAX));
          }
          shards.put(shard, SafetensorsFile.open(index.resolveSibling(shard)));
        }
      }
      Map<String, Tensor> tensors = merge(shards.values());
      checkAgainst(weightMap, shards, indexName);
      return new ShardedSafetensors(List.copyOf(shards.values()), tensors);
    } catch (RuntimeException e) {
      shards.values().forEach(SafetensorsFile::close);
      throw e;
    }
  }

  /// All of them, or none when one is not known.
  @Override
  public List<SourceFile> files() {
    List<SourceFile> files = shards.stream().flatMap(shard -> shard.files().stream()).toList();
    return files.size() == shards.size() ? files : List.of();
  }

  @Override
  public Optional<Tensor> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(tensors.keySet());
  }

  @Override
  public Map<String, String> unsupported() {
    Map<String, String> result = new HashMap<>();
    shards.forEach(shard -> result.putAll(shard.unsupported()));
    return result;
  }

  @Override
  public long byteSize() {
    return shards.stream().mapToLong(SafetensorsFile::byteSize).sum();
  }

  @Override
  public void close() {
    shards.forEach(SafetensorsFile::close);
  }

  /// Tensor name to file name.
  private static Map<String, String> weightMap(Path index, String indexName) {
    JsonNode map = BoundedJson.readObject(index, INDEX_BYTES_MAX).path("weight_map");
    if (!map.isObject() || map.isEmpty()) {
      throw failure(indexName, "it has no 'weight_map'");
    }
    Map<String, String> result = new LinkedHashMap<>();
    map.properties()
        .forEach(entry -> {
          if (!isPlainName(entry.getValue().asText())) {
            throw failure(
                indexName,
                "tensor '%s' is said to be in '%s', which is not the plain name of a .safetensors file"
                    .formatted(entry.getKey(), entry.getValue().asText()));
          }
          result.put(entry.getKey(), entry.getValue().asText());
        });
    return result;
  }

  /// An index may only name files beside it: no directories, no parents.
  private static boolean isPlainName(String name) {
    return name.endsWith(".safetensors")
        && name.chars().noneMatch(c -> c == '/' || c == '\\' || c == 0);
  }

  private static Map<String, Tensor> merge(Iterable<SafetensorsFile> shards) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    Map<String, String> origins = new HashMap<>();
    for (SafetensorsFile shard : shards) {
      for (String name : shard.names()) {
        String other = origins.put(name, shard.fileName());
        if (other != null) {
          throw failure(shard.fileName(), "tensor '%s' is also in %s".formatted(name, other));
        }
        tensors.put(name, shard.tensor(name));
      }
    }
    return tensors;
  }

  private static void checkAgainst(
      Map<String, String> weightMap, Map<String, SafetensorsFile> shards, String indexName) {
    weightMap.forEach((name, shard) -> {
      SafetensorsFile file = shards.get(shard);
      if (file == null || (file.find(name).isEmpty() && !file.unsupported().containsKey(name))) {
        throw failure(
            indexName, "tensor '%s' is said to be in '%s', and is not".formatted(name, shard));
      }
    });
  }

  private static ModelFormatException failure(String file, String reason) {
    return new ModelFormatException("%s: %s".formatted(file, reason));
  }
}
