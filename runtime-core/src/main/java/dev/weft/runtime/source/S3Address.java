package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import dev.weft.runtime.source.SourceException.Code;

/// `s3://bucket[/inside]`, parsed.
///
/// @param inside the key of an object, or what the keys of a folder begin with; empty for all of
///   the bucket
record S3Address(String bucket, String inside) {
  static S3Address of(ModelSource source) {
    String address = source.uri().substring("s3://".length());
    int slash = address.indexOf('/');
    String bucket = slash < 0 ? address : address.substring(0, slash);
    String inside = slash < 0 ? "" : address.substring(slash + 1);
    if (inside.endsWith("/")) {
      inside = inside.substring(0, inside.length() - 1);
    }
    if (!inside.isEmpty() && !ModelFileNames.isPlainPath(inside)) {
      throw new SourceException(Code.UNUSABLE, "the file or folder is not a plain path");
    }
    return new S3Address(bucket, inside);
  }

  /// Whether it names one object rather than a folder.
  boolean isFile() {
    return inside.endsWith(".gguf");
  }
}
