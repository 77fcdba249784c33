/// A discrete-event simulation of devices that run functions: a trace is replayed, on a virtual
/// clock, through the classes that decide in production. What is simulated is what those classes
/// are told of: steps that take as long as a profile says, memory that takes time to load and free.
///
/// The same scenario and source of randomness give the same result, whatever the machine.
@NullMarked
package dev.weft.autoscaler.simulation;

import org.jspecify.annotations.NullMarked;
