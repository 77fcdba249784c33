/// The control plane: gateway, controller, and the `weft` command.
@NullMarked
package dev.weft.platform;

import org.jspecify.annotations.NullMarked;
