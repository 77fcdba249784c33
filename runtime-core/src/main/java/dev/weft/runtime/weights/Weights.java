package dev.weft.runtime.weights;

import dev.weft.runtime.tensor.Tensor;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// A model's tensors by canonical name, mapped from its files. Closing unmaps them; tensors must
/// not be read after. Thread-safe for reading.
public interface Weights extends AutoCloseable {
  Optional<Tensor> find(String name);

  Set<String> names();

  /// Bytes of all tensors, as they are in the files.
  long byteSize();

  /// The files that the tensors lie in, in an order of their own; empty when that is not known, or
  /// when they are not files.
  default List<SourceFile> files() {
    return List.of();
  }

  /// The tensor, or a [ModelFormatException] that names what is missing.
  default Tensor tensor(String name) {
    return find(name)
        .orElseThrow(
            () -> new ModelFormatException("the model has no tensor '%s'".formatted(name)));
  }

  @Override
  void close();
}
