/// Who holds which bytes of a device: the ledger, the KV blocks and their owners.
@NullMarked
package dev.weft.runtime.memory;

import org.jspecify.annotations.NullMarked;
