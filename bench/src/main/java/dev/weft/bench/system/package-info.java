/// What Linux says of processes and does to them: memory and time taken, quotas, the page cache.
@NullMarked
package dev.weft.bench.system;

import org.jspecify.annotations.NullMarked;
