/// Chat templates: the part of Jinja that models' templates are written in, as Python's Jinja2
/// renders it with the settings of Hugging Face's transformers (`trim_blocks`, `lstrip_blocks`,
/// immutable sandbox, its own `tojson`).
///
/// ```
/// source -> Lexer -> Token -> Parser -> Statement, Expression -> Interpreter, Evaluator -> Text
/// ```
///
/// A template comes with a model and is untrusted code. It sees values of this package only
/// ([Value]), so there is nothing to reach through: no reflection, no host object, no I/O. Every
/// step, letter, level and millisecond is counted against [TemplateLimits].
///
/// What callers sent is untrusted text inside a trusted template. [Text] therefore remembers,
/// letter by letter and through slicing, stripping, splitting and joining, what came from a caller;
/// where an operation cannot tell (upper case, JSON), its whole result counts as the caller's. The
/// tokenizer then takes special tokens only from the template's own letters. The text itself is
/// exactly what Jinja2 renders.
@NullMarked
package dev.weft.runtime.tokenizer.template;

import org.jspecify.annotations.NullMarked;
