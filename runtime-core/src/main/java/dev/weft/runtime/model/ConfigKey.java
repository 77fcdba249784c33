package dev.weft.runtime.model;

/// A setting by both its names.
///
/// @param huggingFace in `config.json`
/// @param gguf in a GGUF file's metadata, behind the architecture's name: `block_count` is
///   `llama.block_count`
record ConfigKey(String huggingFace, String gguf) {}
