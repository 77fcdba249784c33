/// The `weft` command: a client of the management and inference APIs, and the one that starts and
/// stops a local installation. It shares no state with the platform but the files under the home.
@NullMarked
package dev.weft.platform.cli;

import org.jspecify.annotations.NullMarked;
