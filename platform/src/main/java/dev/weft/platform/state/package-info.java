/// The platform's database: functions and their revisions, keys, finished invocations, and when
/// functions are called. It is embedded (H2) or a PostgreSQL elsewhere: each has migrations of its
/// own, and all else is SQL that both understand.
///
/// It is the only package that speaks SQL. Every change is one transaction, on disk before the call
/// returns; invocations alone are written behind, in batches. Reads happen at start: from then on
/// everyone works on the snapshots in `control` and `keys`.
@NullMarked
package dev.weft.platform.state;

import org.jspecify.annotations.NullMarked;
