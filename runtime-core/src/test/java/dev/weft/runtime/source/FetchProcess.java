package dev.weft.runtime.source;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// A process that fetches, for tests of what only processes have: their own heap, their own locks.
/// Arguments: home, endpoint of the hub, source address. Prints the path.
final class FetchProcess {
  private FetchProcess() {}

  public static void main(String[] arguments) {
    SourceFixture fixture = new SourceFixture(Path.of(arguments[0]));
    fixture.environment.put("HF_ENDPOINT", arguments[1]);
    System.out.println(fixture.fetch(arguments[2]).path());
  }

  static Process start(Path home, HubStandIn hub, String uri, String... jvmOptions)
      throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
    command.addAll(List.of(jvmOptions));
    command.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            FetchProcess.class.getName(),
            home.toString(),
            hub.endpoint(),
            uri));
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }
}
