/// What was measured, kept and shown: each part of a run is a JSON file of its own, and
/// `results.md` and the SVG plots are made from all that lie in a directory. So a part can be run
/// again alone.
@NullMarked
package dev.weft.bench.report;

import org.jspecify.annotations.NullMarked;
