/// The whole product as its users meet it: the launcher, real processes, real models, real clients.
@NullMarked
package dev.weft.platform.e2e;

import org.jspecify.annotations.NullMarked;
