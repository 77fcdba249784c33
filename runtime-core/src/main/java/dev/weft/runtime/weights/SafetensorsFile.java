package dev.weft.runtime.weights;

import dev.weft.runtime.tensor.Tensor;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// A safetensors file, memory-mapped. See the package for the format and its bounds.
public final class SafetensorsFile implements SafetensorsWeights {
  private final MappedFile file;
  private final Map<String, Tensor> tensors;
  private final Map<String, String> others;
  private final long byteSize;

  private SafetensorsFile(MappedFile file, Iterable<SafetensorsHeader.Entry> entries, long start) {
    this.file = file;
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    Map<String, String> others = new LinkedHashMap<>();
    long byteSize = 0;
    for (SafetensorsHeader.Entry entry : entries) {
      if (entry.type().tensorType().isPresent()) {
        tensors.put(
            entry.name(),
            new Tensor(
                entry.name(),
                entry.type().tensorType().get(),
                entry.shape(),
                file.bytes().asSlice(start + entry.begin(), entry.end() - entry.begin())));
        byteSize += entry.end() - entry.begin();
      } else {
        others.put(entry.name(), entry.type().name());
      }
    }
    this.tensors = tensors;
    this.others = others;
    this.byteSize = byteSize;
  }

  /// Maps and checks the file. Throws [ModelFormatException].
  public static SafetensorsFile open(Path path) {
    return MappedFile.parse(
        path,
        file -> {
          SafetensorsHeader header = SafetensorsHeader.read(file);
          return new SafetensorsFile(file, header.entries(), header.dataStart());
        });
  }

  public String fileName() {
    return file.name();
  }

  @Override
  public List<SourceFile> files() {
    return file.source();
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
    return Collections.unmodifiableMap(others);
  }

  @Override
  public long byteSize() {
    return byteSize;
  }

  @Override
  public void close() {
    file.close();
  }
}
