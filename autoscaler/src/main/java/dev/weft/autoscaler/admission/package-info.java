/// Whether a request or a model fits, decided on numbers alone. A gateway asks with its latest
/// snapshot, the runtime asks again with exact numbers and is the one that counts: a refusal is
/// normal, and carries a reason.
@NullMarked
package dev.weft.autoscaler.admission;

import org.jspecify.annotations.NullMarked;
