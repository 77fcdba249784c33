/// The runtime's HTTP server: the OpenAI API, the control API, health and metrics, on one port.
///
/// ```
/// connection -> Router (secret, route, method) -> body within bounds          event loop
///            -> parse, tokenise, submit                                       request workers
///            -> GenerationEvents <- tokens                                    device thread
///            -> frames, as fast as the client reads                           event loop
/// ```
///
/// An event loop never blocks and never tokenises; the device's thread only hands over. What a slow
/// client has not read yet is merged and bounded; what is too slow is cut with its sequence. A
/// client that leaves cancels its sequences.
@NullMarked
package dev.weft.runtime.server;

import org.jspecify.annotations.NullMarked;
