/// The platform's database: functions and their revisions, keys, and finished invocations.
///
/// It is the only package that speaks SQL. Every change is one transaction, on disk before the call
/// returns; invocations alone are written behind, in batches. Reads happen at start: from then on
/// everyone works on the snapshots in `control` and `keys`.
@NullMarked
package dev.weft.platform.state;

import org.jspecify.annotations.NullMarked;
