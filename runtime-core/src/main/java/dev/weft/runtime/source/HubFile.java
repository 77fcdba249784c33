package dev.weft.runtime.source;

/// A file of a hub repository at one commit.
///
/// @param path in the repository
/// @param algorithm SHA-256 for files in large file storage, git's SHA-1 for others
/// @param hash of its content; also the name of its blob in the cache and its `ETag`
record HubFile(String path, long bytes, String algorithm, String hash) {
  String name() {
    return path.substring(path.lastIndexOf('/') + 1);
  }
}
