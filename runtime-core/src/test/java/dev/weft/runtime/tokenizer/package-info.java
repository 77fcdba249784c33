@NullMarked
package dev.weft.runtime.tokenizer;

import org.jspecify.annotations.NullMarked;
