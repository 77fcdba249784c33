/// Text to tokens and back, and the chat templates that models bring.
@NullMarked
package dev.weft.runtime.tokenizer;

import org.jspecify.annotations.NullMarked;
