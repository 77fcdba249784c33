package dev.weft.platform.control;

import dev.weft.functions.FunctionName;
import java.util.Map;

/// Keeps what is known of when functions are called, over restarts.
public interface CallsStore {
  /// Of functions that there are.
  Map<FunctionName, Calls> all();

  /// Replaces what was kept of these functions.
  void keep(Map<FunctionName, Calls> calls);
}
