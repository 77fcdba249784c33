/// How long things last: an idle instance (keep-alive), a held caller (wait budget), the pause
/// before a process that died is started again (backoff), the time until a function is called
/// again. `now` is an argument everywhere.
@NullMarked
package dev.weft.autoscaler.scaling;

import org.jspecify.annotations.NullMarked;
