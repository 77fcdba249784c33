package dev.weft.runtime.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.runtime.backend.ReferenceBackend;
import dev.weft.runtime.foreign.NativeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeFilesTest {
  private static final List<String> LIBRARY = List.of("META-INF/native/linux-x86_64/libweftcpu.so");

  @TempDir private Path directory;

  @Test
  void unpacksOnceIntoADirectoryOfItsContent() throws IOException {
    NativeFiles files = new NativeFiles(directory);
    Path first = files.unpack("weftcpu", LIBRARY);
    Path library = first.resolve("libweftcpu.so");
    var time = Files.getLastModifiedTime(library);
    assertThat(files.unpack("weftcpu", LIBRARY)).isEqualTo(first);
    assertThat(Files.getLastModifiedTime(library)).isEqualTo(time);
    try (var all = Files.list(first)) {
      assertThat(all).containsExactly(library);
    }
  }

  @Test
  void namesAnAbsentResource() {
    assertThatThrownBy(() -> new NativeFiles(directory).unpack("x", List.of("META-INF/nothing")))
        .isInstanceOf(NativeException.class)
        .hasMessageContaining("META-INF/nothing is not on the class path");
  }

  @Test
  void refusesAFileThatIsNoLibrary() throws IOException {
    Path file = Files.writeString(directory.resolve("libweftcpu.so"), "not a library");
    assertThatThrownBy(() -> WeftCpu.open(file))
        .isInstanceOf(NativeException.class)
        .hasMessageStartingWith("libweftcpu.so cannot be loaded");
  }

  @Test
  void fallsBackToTheReferenceWhereTheLibraryCannotBe() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "in the way");
    var options = new CpuOptions(file, 1, Optional.empty(), 0, Optional.empty());
    try (var backend = CpuBackends.open(options)) {
      assertThat(backend).isInstanceOf(ReferenceBackend.class);
      assertThat(backend.name()).contains("reference");
    }
  }
}
