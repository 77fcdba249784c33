package dev.weft.runtime.server;

import java.util.concurrent.Executor;

/// The two ends of a stream's way from one runtime to another.
///
/// @param exports what is kept here of streams that go on elsewhere
/// @param arrivals what brings here what is kept elsewhere
/// @param waiting runs what waits for other runtimes
record Moves(KvExports exports, KvArrivals arrivals, Executor waiting) {}
