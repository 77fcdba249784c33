package dev.weft.functions.cluster;

import dev.weft.functions.FunctionSpec;

/// A revision of a function: what was deployed. It never changes.
///
/// @param function the function that it is of
/// @param number how many revisions there were before it, plus one
/// @param template what the function was when it was deployed
public record RevisionSpec(String function, Integer number, FunctionSpec template) {}
