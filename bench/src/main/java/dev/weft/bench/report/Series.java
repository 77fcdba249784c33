package dev.weft.bench.report;

import java.util.List;
import java.util.Map;

/// One row of a table: what several subjects gave, round by round.
///
/// @param label such as `SmolLM2-135M, 8 bits`
/// @param quantity what is measured and its unit, such as `decode, tok/s`; rows of one quantity
///   share a plot
/// @param samples by subject, in the order measured
public record Series(
    String label, String quantity, int digits, Map<String, List<Double>> samples) {}
