package dev.weft.bench.models;

import dev.weft.bench.models.ModelShape.TensorShape;
import dev.weft.runtime.tensor.DType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/// Encodes a tensor's rows, some at a time on all cores, and writes them in order.
final class RowStream {
  private static final int CHUNK_BYTES = 8 << 20;

  private RowStream() {}

  /// @param order the source's row for each row of the file
  static void write(
      WritableByteChannel channel,
      TensorShape tensor,
      DType type,
      WeightSource source,
      IntUnaryOperator order)
      throws IOException {
    int rowBytes = Math.toIntExact(type.byteSize(tensor.columns()));
    int chunkRows = Math.max(1, CHUNK_BYTES / rowBytes);
    ByteBuffer chunk = ByteBuffer.allocateDirect(Math.min(chunkRows, tensor.rows()) * rowBytes);
    for (int from = 0; from < tensor.rows(); from += chunkRows) {
      int first = from;
      int rows = Math.min(chunkRows, tensor.rows() - from);
      IntStream.range(0, rows)
          .parallel()
          .forEach(row -> {
            float[] values = new float[tensor.columns()];
            source.row(tensor, order.applyAsInt(first + row), values);
            ByteBuffer out = chunk.slice(row * rowBytes, rowBytes).order(ByteOrder.LITTLE_ENDIAN);
            BlockEncoder.encode(type, values, tensor.columns(), out);
          });
      chunk.clear().limit(rows * rowBytes);
      writeFully(channel, chunk);
    }
  }

  static void writeFully(WritableByteChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }
}
