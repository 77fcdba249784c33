/// The front door for callers of functions: OpenAI's paths and the plain invoke API.
///
/// A request is read whole, scanned for the few members that routing needs, given to a ready
/// instance (or held until there is one), and from then on bytes are pumped. The gateway does not
/// tokenise, and rewrites nothing but what a runtime adds for it alone: comments that carry token
/// ids, and usage that the caller did not ask for. Everything of one request happens on the event
/// loop of its connection.
@NullMarked
package dev.weft.platform.gateway;

import org.jspecify.annotations.NullMarked;
