/// What users declare: a function, its model, its service level, and the immutable revisions of it.
@NullMarked
package dev.weft.functions;

import org.jspecify.annotations.NullMarked;
