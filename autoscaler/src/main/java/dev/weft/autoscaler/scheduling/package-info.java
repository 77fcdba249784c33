/// Whose step is next. Every request has a deadline for its next token; what is left until then is
/// its *headroom*, and of all instances of a device the one with the least goes first (LLM-Mesh,
/// arXiv 2507.00507). An instance that has waited too long goes before that, so that none starves.
@NullMarked
package dev.weft.autoscaler.scheduling;

import org.jspecify.annotations.NullMarked;
