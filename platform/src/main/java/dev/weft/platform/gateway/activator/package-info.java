/// Callers of cold functions: held until an instance is ready, within their function's wait budget.
///
/// Holding a request is what makes the controller load; it does so once, however many wait. A
/// caller that leaves does not cancel the load.
@NullMarked
package dev.weft.platform.gateway.activator;

import org.jspecify.annotations.NullMarked;
