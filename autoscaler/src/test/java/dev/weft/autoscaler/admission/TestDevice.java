package dev.weft.autoscaler.admission;

import java.util.ArrayList;
import java.util.List;

/// A device of so many bytes, of which its instances' KV tokens take one each.
final class TestDevice implements DeviceLoad {
  private final long capacity;
  private final List<TestInstance> instances = new ArrayList<>();
  long idleBytes;
  long freeAt;
  boolean growsKv = true;

  TestDevice(long capacity) {
    this.capacity = capacity;
  }

  TestInstance add(TestInstance instance) {
    instances.add(instance);
    return instance;
  }

  @Override
  public List<TestInstance> instances() {
    return instances;
  }

  @Override
  public long roomBytes() {
    return capacity - instances.stream().mapToLong(TestInstance::plannedTokens).sum();
  }

  @Override
  public long idleBytesBeside(InstanceLoad instance) {
    return idleBytes;
  }

  @Override
  public boolean growsKv() {
    return growsKv;
  }

  @Override
  public long freeAt() {
    return freeAt;
  }
}
