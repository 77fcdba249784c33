package dev.weft.runtime.cpu.packed;

import dev.weft.runtime.weights.SourceFile;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;

/// What a packed file is to hold. Two are equal only when their bytes are.
///
/// @param layout the version of the packed layout
/// @param sources the model's files, never empty
/// @param matrices in the order in which they lie in the file
public record PackedContents(int layout, List<SourceFile> sources, List<Matrix> matrices) {
  /// Raised when the format of the file around the matrices changes.
  private static final int FORMAT = 1;

  static final int ALIGNMENT = 4096;

  public PackedContents {
    sources = List.copyOf(sources);
    matrices = List.copyOf(matrices);
    if (sources.isEmpty()) {
      throw new IllegalArgumentException("no source");
    }
  }

  /// One matrix.
  ///
  /// @param type of the tensor that it is packed from
  /// @param packing how it is packed
  /// @param bytes of its packed form, a multiple of 4,096
  public record Matrix(
      String name, String type, long outputs, long inputs, String packing, long bytes) {
    public Matrix {
      if (bytes % ALIGNMENT != 0) {
        throw new IllegalArgumentException("%s has %d bytes".formatted(name, bytes));
      }
    }
  }

  /// The header with the sources' hashes in it, padded to where the matrices begin.
  ///
  /// @param hashes SHA-256 of each source
  byte[] header(List<byte[]> hashes) {
    StringBuilder text = new StringBuilder("weft-packed %d\nlayout %d\n".formatted(FORMAT, layout));
    for (int i = 0; i < sources.size(); i++) {
      text.append("source ")
          .append(HexFormat.of().formatHex(hashes.get(i)))
          .append(' ')
          .append(sources.get(i).bytes())
          .append('\n');
    }
    for (Matrix matrix : matrices) {
      text.append("matrix ")
          .append(matrix.name())
          .append(' ')
          .append(matrix.type())
          .append(' ')
          .append(matrix.outputs())
          .append(' ')
          .append(matrix.inputs())
          .append(' ')
          .append(matrix.packing())
          .append(' ')
          .append(matrix.bytes())
          .append('\n');
    }
    byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
    int padded = (bytes.length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return java.util.Arrays.copyOf(bytes, padded);
  }

  /// Bytes of the header, which do not depend on the hashes.
  int headerBytes() {
    return header(sources.stream().map(_ -> new byte[ContentHashes.BYTES]).toList()).length;
  }

  /// Bytes of the whole file.
  public long fileBytes() {
    return headerBytes() + matrices.stream().mapToLong(Matrix::bytes).sum();
  }
}
