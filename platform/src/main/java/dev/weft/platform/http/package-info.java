/// What every route of the platform shares: errors in OpenAI's shape, the check of the API key, and
/// handlers that may block.
@NullMarked
package dev.weft.platform.http;

import org.jspecify.annotations.NullMarked;
