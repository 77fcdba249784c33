/// The seam between the engine and a device: a spec goes in, an executable comes out, and one
/// `forward` is one step, sampling included.
///
/// What every backend promises, and `BackendContractTest` holds it to: a row's result depends on
/// its own sequence alone, not on the batch, the chunk, its neighbours, the blocks that hold it or
/// the number of threads. A step that fails may be run again.
///
/// [ReferenceBackend] is the oracle: plain Java in float32. Its parts ([Linear], [Attention],
/// [Normalization], [RotaryPositions], [Activations]) each follow their formula and nothing else.
@NullMarked
package dev.weft.runtime.backend;

import org.jspecify.annotations.NullMarked;
