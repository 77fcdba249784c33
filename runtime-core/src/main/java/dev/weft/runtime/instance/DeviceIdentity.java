package dev.weft.runtime.instance;

import dev.weft.functions.instance.DeviceId;

/// Which device this is, and which start of its runtime.
///
/// @param runtimeId differs for each start of the process
public record DeviceIdentity(DeviceId device, String runtimeId) {}
