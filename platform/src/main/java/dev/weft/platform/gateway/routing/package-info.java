/// Which instance answers a request, on the latest snapshots.
@NullMarked
package dev.weft.platform.gateway.routing;

import org.jspecify.annotations.NullMarked;
