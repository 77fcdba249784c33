/// Which device answers a request. A loaded instance is preferred, the fullest batch first; a cold
/// function goes to a device that every gateway agrees on without asking anybody, by rendezvous
/// hashing (Thaler and Ravishankar, 1998): taking a device away moves only the functions that it
/// had.
@NullMarked
package dev.weft.autoscaler.placement;

import org.jspecify.annotations.NullMarked;
