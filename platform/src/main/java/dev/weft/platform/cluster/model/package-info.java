/// What the operator decides, without asking anybody: which revisions there are to be, what status
/// says, and what the objects look like that it makes.
@NullMarked
package dev.weft.platform.cluster.model;

import org.jspecify.annotations.NullMarked;
