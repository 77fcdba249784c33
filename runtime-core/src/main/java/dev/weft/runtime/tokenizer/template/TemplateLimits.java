package dev.weft.runtime.tokenizer.template;

import java.time.Duration;

/// What one template may use.
///
/// @param sourceChars length of the source
/// @param steps nodes evaluated in one rendering
/// @param outputChars length of the prompt
/// @param workChars letters made or searched on the way
/// @param depth levels of expressions, statements and macros inside one another
/// @param time wall time of one rendering
record TemplateLimits(
    int sourceChars, long steps, int outputChars, long workChars, int depth, Duration time) {
  static final TemplateLimits DEFAULT =
      new TemplateLimits(1 << 19, 5_000_000, 8 << 20, 32L << 20, 200, Duration.ofSeconds(2));

  /// Levels of brackets and blocks inside one another in the source.
  static final int NESTING = 100;

  /// Numbers that `range` gives at most, as in Jinja2's sandbox.
  static final int RANGE = 100_000;

  /// Levels of lists and maps inside one another in a value.
  static final int VALUE_DEPTH = 100;
}
