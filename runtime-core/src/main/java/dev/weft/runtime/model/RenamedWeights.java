package dev.weft.runtime.model;

import dev.weft.runtime.tensor.Tensor;
import dev.weft.runtime.weights.ModelFormatException;
import dev.weft.runtime.weights.SourceFile;
import dev.weft.runtime.weights.Weights;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// The tensors of safetensors files under their canonical names. Names that the table does not know
/// stay as they are, for the check against the spec to find; ignored ones are left out.
final class RenamedWeights implements Weights {
  private final Weights source;
  private final Map<String, Tensor> tensors;
  private final long byteSize;

  /// @param fileName for messages
  RenamedWeights(String fileName, Weights source, NameTable names) {
    this.source = source;
    this.tensors = new LinkedHashMap<>();
    for (String name : source.names()) {
      if (names.ignores(name)) {
        continue;
      }
      Tensor tensor = source.tensor(name);
      String canonical = names.translate(name).orElse(name);
      Tensor renamed = new Tensor(canonical, tensor.dtype(), tensor.shape(), tensor.data());
      if (tensors.put(canonical, renamed) != null) {
        throw new ModelFormatException(
            "%s: tensor '%s' is there under two names, '%s' being one"
                .formatted(fileName, canonical, name));
      }
    }
    this.byteSize = tensors.values().stream().mapToLong(t -> t.data().byteSize()).sum();
  }

  @Override
  public List<SourceFile> files() {
    return source.files();
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
  public long byteSize() {
    return byteSize;
  }

  @Override
  public void close() {
    source.close();
  }
}
