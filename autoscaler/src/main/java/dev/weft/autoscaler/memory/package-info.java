/// What a model takes of a device, and who makes room for it: the KV grant of an instance, and the
/// instances to evict. Eviction is least recently used, counted in bytes; a busy or pinned instance
/// is never touched. And whether keys and values move between devices, or are computed again.
@NullMarked
package dev.weft.autoscaler.memory;

import org.jspecify.annotations.NullMarked;
