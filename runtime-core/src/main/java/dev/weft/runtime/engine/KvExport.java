package dev.weft.runtime.engine;

import java.io.IOException;
import java.io.OutputStream;

/// Keys and values of a sequence that was stopped, for who goes on with it elsewhere. They take
/// memory of the device until this is closed, its instance ends, or others need it. **thread**:
/// any.
public interface KvExport extends AutoCloseable {
  /// Tokens of the text, from its beginning, whose keys and values there are.
  int tokens();

  /// Writes them as `runtime.transfer` describes, from token `first` on. Takes as long as the
  /// reader; the device's thread copies some blocks at a time, between two steps.
  ///
  /// @param model what tells this model from others
  /// @throws dev.weft.runtime.transfer.KvTransferException when they are not there, or no longer
  void write(String model, int first, OutputStream out) throws IOException;

  @Override
  void close();
}
