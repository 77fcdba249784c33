package dev.weft.functions.instance;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;

/// Names one schedulable device of the installation, such as `cpu-0`.
public record DeviceId(@JsonValue String value) {
  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public DeviceId {
    if (value.isBlank()) {
      throw new IllegalArgumentException("device id is blank");
    }
  }

  @Override
  public String toString() {
    return value;
  }
}
