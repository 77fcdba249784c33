/// The gateway: what it costs to route and admit a request, and what it adds to one.
@NullMarked
package dev.weft.bench.gateway;

import org.jspecify.annotations.NullMarked;
