/// Revisions become instances on one device: files are fetched, opened, measured, given memory,
/// compiled and put to work; idle instances make room for others, least recently used first.
///
/// ```
///   REMOTE --fetch--> DISK --read--> HOST        (prewarm, and what devices keep of loads)
///                      |
///                      +--open, reserve, compile--> DEVICE --add to the engine--> READY
///                      ^                                                            |
///                      +------------------- unload, evict, fail -------------------+
/// ```
///
/// [InstanceManager] is the one authority: a load joins the load under way, a lease keeps an
/// instance from going, and whatever a failed load took is given back. What goes on is told in
/// immutable [dev.weft.functions.instance.DeviceStatus] snapshots. It knows no HTTP and no prompts.
@NullMarked
package dev.weft.runtime.instance;

import org.jspecify.annotations.NullMarked;
