package dev.weft.platform.images;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What is written is read by the system's own `tar`.
class TarWriterTest {
  private static final Instant TIME = Instant.parse("2026-01-01T00:00:00Z");
  private static final String LONG = "a/" + "long-directory/".repeat(4) + "file".repeat(30);

  @TempDir Path directory;

  @Test
  void otherProgramsReadIt() throws IOException {
    Path script = Files.writeString(directory.resolve("script"), "echo it runs\n".repeat(50));
    Path archive = directory.resolve("archive.tar");
    var files =
        new LayerFiles()
            .program("bin/script", script)
            .text(LONG, "far down")
            .tree("linked", link())
            .directory("tmp", 01777);
    try (var tar = new TarWriter(Files.newOutputStream(archive), TIME)) {
      files.writeTo(tar);
    }
    List<String> listed = Tool.lines("tar", "--utc", "--numeric-owner", "-tvf", archive.toString());
    assertThat(listed)
        .anyMatch(line -> line.matches("-rwxr-xr-x 0/0 +650 2026-01-01 00:00 bin/script"))
        .anyMatch(line -> line.matches("-rw-r--r-- 0/0 +8 2026-01-01 00:00 " + LONG))
        .anyMatch(line -> line.matches("lrwxrwxrwx 0/0 +0 .* linked/alias -> script"))
        .anyMatch(line -> line.matches("drwxrwxrwt 0/0 +0 .* tmp/"));
    Tool.text("tar", "-xf", archive.toString(), "-C", directory.toString());
    assertThat(directory.resolve("bin/script")).hasSameBinaryContentAs(script);
    assertThat(directory.resolve(LONG)).hasContent("far down");
  }

  private Path link() throws IOException {
    Path tree = Files.createDirectory(directory.resolve("tree"));
    Files.createSymbolicLink(tree.resolve("alias"), Path.of("script"));
    return tree;
  }

  @Test
  void everyDirectoryComesBeforeWhatIsInIt() {
    assertThat(new LayerFiles().text("a/b/c", "").text("a-b", "").paths())
        .containsExactly("a", "a-b", "a/b", "a/b/c");
  }

  /// The record of a long name has its own length in it: around 100 that grows by a digit.
  @Test
  void namesOfAnyLengthAreRead() throws IOException {
    Path archive = directory.resolve("names.tar");
    List<String> names =
        IntStream.rangeClosed(80, 130).mapToObj("x"::repeat).collect(Collectors.toList());
    try (var tar = new TarWriter(Files.newOutputStream(archive), TIME)) {
      for (String name : names) {
        tar.file(name, new byte[0], 0644);
      }
    }
    assertThat(Tool.lines("tar", "-tf", archive.toString())).isEqualTo(names);
  }

  @Test
  void linkThatDoesNotFitIsRefused() {
    var tar = new TarWriter(new ByteArrayOutputStream(), TIME);
    assertThatThrownBy(() -> tar.link("name", "x".repeat(101)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("longer than its field");
  }
}
