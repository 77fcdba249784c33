/// Whether a request or an instance fits a device, decided on numbers alone.
@NullMarked
package dev.weft.autoscaler.admission;

import org.jspecify.annotations.NullMarked;
