/// The management API under `/api/v1`: deploying functions, keys, devices, logs.
///
/// [dev.weft.platform.management.ManagementApi] is the contract: paths and bodies, which the `weft`
/// command uses too. Handlers run on virtual threads and may block.
@NullMarked
package dev.weft.platform.management;

import org.jspecify.annotations.NullMarked;
