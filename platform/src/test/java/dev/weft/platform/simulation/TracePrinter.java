package dev.weft.platform.simulation;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;

/// Prints a trace's functions and calls as JSON, for those who are not the platform. Argument: a
/// file of any format that [TraceFile] reads.
public final class TracePrinter {
  private TracePrinter() {}

  public static void main(String[] arguments) throws IOException {
    new ObjectMapper().writeValue(System.out, TraceFile.read(Path.of(arguments[0])));
  }
}
