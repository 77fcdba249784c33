package dev.weft.bench.models;

import dev.weft.bench.models.ModelShape.TensorShape;
import dev.weft.runtime.tensor.DType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/// Writes a model as one GGUF file.
final class GgufModel {
  private static final int ALIGNMENT = 32;

  private final ModelShape shape;
  private final GgufFormat format;
  private final Vocabulary vocabulary;

  GgufModel(ModelShape shape, GgufFormat format, Vocabulary vocabulary) {
    this.shape = shape;
    this.format = format;
    this.vocabulary = vocabulary;
  }

  void write(Path file, WeightSource source) throws IOException {
    List<TensorShape> tensors = shape.tensors();
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE,
            StandardOpenOption.TRUNCATE_EXISTING)) {
      RowStream.writeFully(channel, ByteBuffer.wrap(header(tensors)));
      for (TensorShape tensor : tensors) {
        align(channel);
        RowStream.write(
            channel,
            tensor,
            format.type(shape, tensor),
            source,
            row -> shape.huggingFaceRow(tensor, row));
      }
      align(channel);
    }
  }

  private byte[] header(List<TensorShape> tensors) {
    GgufHeader header = new GgufHeader();
    String prefix = shape.architecture() + ".";
    header.put("general.architecture", shape.architecture());
    header.put("general.name", shape.name());
    header.put(prefix + "block_count", shape.layers());
    header.put(prefix + "context_length", shape.context());
    header.put(prefix + "embedding_length", shape.hidden());
    header.put(prefix + "feed_forward_length", shape.intermediate());
    header.put(prefix + "attention.head_count", shape.heads());
    header.put(prefix + "attention.head_count_kv", shape.kvHeads());
    header.put(prefix + "attention.layer_norm_rms_epsilon", (float) shape.normEpsilon());
    header.put(prefix + "rope.freq_base", (float) shape.theta());
    header.put(prefix + "rope.dimension_count", shape.headSize());
    header.put(prefix + "vocab_size", shape.vocabulary());
    header.put("general.quantization_version", 2);
    vocabulary.put(header);
    long offset = 0;
    for (TensorShape tensor : tensors) {
      DType tensorType = format.type(shape, tensor);
      header.tensor(tensor, tensorType, offset);
      long end = offset + tensorType.byteSize(tensor.elements());
      offset = (end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    return header.bytes();
  }

  private static void align(FileChannel channel) throws IOException {
    int over = Math.toIntExact(channel.position() % ALIGNMENT);
    if (over > 0) {
      RowStream.writeFully(channel, ByteBuffer.allocate(ALIGNMENT - over));
    }
  }
}
