package dev.weft.bench.report;

import java.util.List;
import java.util.Map;

/// All that one part of a run gave.
///
/// @param setting machine, commit, versions, and what else a reader needs to judge the figures
/// @param remarks sentences: what is absent, what was emulated
public record PartResult(
    String part,
    String title,
    Map<String, String> setting,
    List<Series> series,
    List<Finding> findings,
    List<String> remarks) {}
