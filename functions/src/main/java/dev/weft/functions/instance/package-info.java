/// What runtimes report and are told: the wire records of the control API and the status stream.
@NullMarked
package dev.weft.functions.instance;

import org.jspecify.annotations.NullMarked;
