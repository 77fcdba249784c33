package dev.weft.platform.cli;

import picocli.CommandLine.Option;

/// The `-o` option: a table for people, JSON for scripts.
final class OutputFormat {
  @Option(
      names = {"-o", "--output"},
      paramLabel = "FORMAT",
      description = "table or json (default: ${DEFAULT-VALUE}).",
      defaultValue = "table")
  private Kind kind = Kind.TABLE;

  boolean json() {
    return kind == Kind.JSON;
  }

  /// What `-o` can be.
  enum Kind {
    TABLE,
    JSON
  }
}
