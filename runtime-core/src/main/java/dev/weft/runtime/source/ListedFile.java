package dev.weft.runtime.source;

/// A file as the place that has it lists it.
///
/// @param path there
/// @param algorithm of the hash; a hub's is SHA-256 for files in large file storage and git's SHA-1
///   for others, an object store's is its `ETag`
/// @param hash of its content; also the name of its blob in the caches that have such
record ListedFile(String path, long bytes, String algorithm, String hash) {
  String name() {
    return path.substring(path.lastIndexOf('/') + 1);
  }
}
