package dev.weft.platform.gateway.routing;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import dev.weft.functions.instance.Why;
import dev.weft.platform.control.RuntimeAddress;

/// A ready instance, how to reach it, and why it was chosen.
public record Target(RevisionId revision, DeviceId device, RuntimeAddress address, Why why) {}
