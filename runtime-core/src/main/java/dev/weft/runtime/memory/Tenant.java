package dev.weft.runtime.memory;

/// A decoder whose KV memory grows and shrinks while it runs, as the [Balloon] sees it. Called on
/// the device's thread, between steps.
public interface Tenant {
  Demand demand();

  /// How much its function counts where memory is scarce.
  default int priority() {
    return 1;
  }

  /// Makes do with `blocks` from now on. What goes first costs least: growth that is only planned,
  /// cached prefixes, and where that is not enough the newest sequences, which wait again. What is
  /// left lies below `blocks` when this returns. Returns how many blocks were moved for that.
  int shrinkTo(int blocks);

  /// What a tenant does with its blocks.
  ///
  /// @param planned blocks that running sequences have, or have been promised to grow by
  /// @param cached blocks in use beside these, by prefixes that nobody runs
  /// @param wanted blocks that it would plan as well, had it more: those of waiting sequences
  record Demand(int planned, int cached, int wanted) {
    public static final Demand NONE = new Demand(0, 0, 0);
  }
}
