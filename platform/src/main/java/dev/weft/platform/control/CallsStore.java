package dev.weft.platform.control;

import dev.weft.functions.FunctionName;
import java.util.Map;
import java.util.Set;

/// Keeps what is known of when functions are called, over restarts.
public interface CallsStore {
  /// What was kept of these functions, which are all that there are: others are forgotten.
  Map<FunctionName, Calls> of(Set<FunctionName> functions);

  /// Replaces what was kept of these functions.
  void keep(Map<FunctionName, Calls> calls);
}
