/// Tests of what the platform says of itself.
@NullMarked
package dev.weft.platform.telemetry;

import org.jspecify.annotations.NullMarked;
