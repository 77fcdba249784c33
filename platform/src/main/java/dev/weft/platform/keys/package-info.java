/// API keys: who may call what.
///
/// A secret is shown once, when it is made, and kept only as its SHA-256. A key has scopes
/// (`invoke`, `admin`, `gateway`) and, for `invoke`, optionally the functions that it is good for.
@NullMarked
package dev.weft.platform.keys;

import org.jspecify.annotations.NullMarked;
