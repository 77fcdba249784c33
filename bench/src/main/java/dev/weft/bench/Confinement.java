package dev.weft.bench;

import java.util.List;

/// Where a measured process runs: free, or in a group with a quota.
@FunctionalInterface
public interface Confinement {
  Confinement NONE = command -> command;

  /// The command that starts `command` there.
  List<String> command(List<String> command);
}
