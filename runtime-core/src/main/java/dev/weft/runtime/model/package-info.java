/// What a model is, as data: a family is a record, not a class tree.
@NullMarked
package dev.weft.runtime.model;

import org.jspecify.annotations.NullMarked;
