package dev.weft.runtime.instance;

import dev.weft.functions.Revision;
import dev.weft.runtime.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// What must be the same in two runtimes for the keys and values of one to be the other's: the
/// revision, what computes it, and the weights themselves, of which each tensor's beginning and end
/// are looked at. Weights are read when this is first asked, not when a model is loaded.
/// **thread**: any, while the weights are open.
final class KvIdentity implements Supplier<String> {
  private static final long LOOKED_AT_BYTES = 4_096;

  private final String computedBy;
  private final Supplier<List<Tensor>> weights;
  private volatile @Nullable String identity;

  /// @param arithmetic of the backend, or the identity of what this is put onto
  KvIdentity(Revision revision, String arithmetic, Supplier<List<Tensor>> weights) {
    this.computedBy =
        String.join("\n", revision.id().toString(), revision.spec().toString(), arithmetic);
    this.weights = weights;
  }

  /// 64 hexadecimal digits.
  @Override
  public String get() {
    String known = identity;
    if (known == null) {
      known = make();
      identity = known;
    }
    return known;
  }

  private String make() {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
    digest.update(computedBy.getBytes(StandardCharsets.UTF_8));
    for (Tensor tensor : weights.get()) {
      String what = "\n%s %s %s\n".formatted(tensor.name(), tensor.dtype(), tensor.shape());
      digest.update(what.getBytes(StandardCharsets.UTF_8));
      MemorySegment data = tensor.data();
      long part = Math.min(LOOKED_AT_BYTES, data.byteSize());
      digest.update(data.asSlice(0, part).asByteBuffer());
      digest.update(data.asSlice(data.byteSize() - part, part).asByteBuffer());
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
