/// A runtime without models, in a process of its own: it speaks the control API and OpenAI's, and
/// misbehaves as tests ask.
@NullMarked
package dev.weft.platform.stub;

import org.jspecify.annotations.NullMarked;
