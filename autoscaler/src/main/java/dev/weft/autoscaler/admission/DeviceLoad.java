package dev.weft.autoscaler.admission;

import java.util.List;

/// What a device has to do and holds.
public interface DeviceLoad {
  List<? extends InstanceLoad> instances();

  /// Bytes that nobody is planned to have.
  long roomBytes();

  /// Bytes of instances that idle and may go, without those of `instance`.
  long idleBytesBeside(InstanceLoad instance);

  /// Whether an instance's KV memory can grow while it runs.
  boolean growsKv();

  /// When the step that runs now ends; in the past when none does.
  long freeAt();
}
