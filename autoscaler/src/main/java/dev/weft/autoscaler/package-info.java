/// Pure decisions: admission, memory, scaling, placement. Every decision is a function of a
/// snapshot and, where time matters, of `now`; its result is a plan with reasons, which somebody
/// else carries out. There is no I/O, no clock, no thread, no lock and no logging here, so the same
/// classes run in the gateway, the controller, the runtimes and a simulation.
///
/// | package | decides |
/// |---|---|
/// | `admission` | whether a request runs on an instance, whether a model fits a device |
/// | `memory` | how much KV memory an instance gets, when it runs out, which instances make room |
/// | `scaling` | which instances have idled long enough, how long callers wait, when to start again |
/// | `placement` | which device answers a request |
/// | `profile` | how long steps take |
/// | `scheduling` | whose step is next |
/// | `simulation` | nothing: it replays traces through the others |
@NullMarked
package dev.weft.autoscaler;

import org.jspecify.annotations.NullMarked;
