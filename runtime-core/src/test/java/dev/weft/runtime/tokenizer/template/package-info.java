@NullMarked
package dev.weft.runtime.tokenizer.template;

import org.jspecify.annotations.NullMarked;
