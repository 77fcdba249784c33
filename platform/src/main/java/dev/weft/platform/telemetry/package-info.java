/// What the platform says of itself: metrics, health, and a record of each finished invocation.
/// Never prompts or answers.
@NullMarked
package dev.weft.platform.telemetry;

import org.jspecify.annotations.NullMarked;
