package dev.weft.functions;

import java.time.Instant;

/// An immutable version of a function: what was deployed, and when.
public record Revision(RevisionId id, FunctionSpec spec, Instant createdAt) {}
