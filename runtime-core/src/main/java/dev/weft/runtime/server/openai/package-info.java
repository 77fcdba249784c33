/// The OpenAI wire format: request bodies read strictly, answers and errors written as OpenAI
/// writes them. Knows no HTTP server and no engine thread.
///
/// Every parameter of OpenAI's either works, is accepted because ignoring it changes no answer
/// (`user`, `metadata`, `service_tier`, `safety_identifier`, `prompt_cache_key`,
/// `prompt_cache_retention`, `parallel_tool_calls` without tools, `store: false`), or is answered
/// 400 with its name in `param`. So is every key that is not known. `null` counts as absent.
@NullMarked
package dev.weft.runtime.server.openai;

import org.jspecify.annotations.NullMarked;
