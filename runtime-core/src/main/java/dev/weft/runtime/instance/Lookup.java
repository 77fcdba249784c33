package dev.weft.runtime.instance;

import dev.weft.functions.instance.InstanceStatus;

/// What there is of a function when a request asks for it.
public sealed interface Lookup {
  /// It serves; the caller closes the lease.
  record Serving(Lease lease) implements Lookup {}

  /// It is known, and does not serve now.
  record NotReady(InstanceStatus status) implements Lookup {}

  /// Nobody has asked this runtime to load it.
  record Unknown() implements Lookup {}

  /// The runtime admits nothing any more.
  record Draining() implements Lookup {}
}
