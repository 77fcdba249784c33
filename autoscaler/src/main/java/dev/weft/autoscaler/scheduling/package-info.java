/// Whose step is next. Every request has a deadline for its next token; what is left until then is
/// its *headroom*, and where one is in a hurry the instance with the least goes first (LLM-Mesh,
/// arXiv 2507.00507); until then they take turns. An instance that has waited too long goes before
/// that, so that none starves, and what is late gets time by its priority: [FairShares] says who
/// got how much, and which function is owed a place at all.
@NullMarked
package dev.weft.autoscaler.scheduling;

import org.jspecify.annotations.NullMarked;
