/// Iteration-level batching: requests in, tokens out, one step at a time on the device's own
/// thread.
///
/// ```
///   any thread                      the device's thread (DeviceLoop)
///   submit ---> bounded queue --->  take what was asked
///   cancel ---> a flag              Turns: whose step is next
///                                   DecoderLoop: plan a step, forward, tell the listeners
///                                   EncoderLoop: some texts of each job, forward
///   load, sinceLastTurn <---------  publish
/// ```
///
/// The one idea: everything about sequences, blocks and executables belongs to one thread, so that
/// nothing in here needs a lock. Other threads hand over commands and read published values.
/// [dev.weft.runtime.scheduling] decides what a step runs; this package lets requests in
/// ([Admission]), runs steps ([StepRunner]) and turns tokens into text ([Generations],
/// [Generation], [StopStrings]). Failures are contained where they arise: a step that throws is run
/// again part by part and ends only what fails alone; a listener that throws ends its own request;
/// the loop ends by `close` only.
@NullMarked
package dev.weft.runtime.engine;

import org.jspecify.annotations.NullMarked;
