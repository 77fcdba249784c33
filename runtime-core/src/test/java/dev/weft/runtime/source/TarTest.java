package dev.weft.runtime.source;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.weft.functions.ModelSource;
import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Archives as the machine's own `tar` writes them, and such as nobody should.
class TarTest {
  private static final byte[] WEIGHTS = SourceFixture.bytes(100_001, 1);

  private @TempDir Path home;
  private long usable = Long.MAX_VALUE;

  private List<ListedFile> unpack(byte[] archive, boolean gzip, String folder) throws IOException {
    Path file = Files.write(home.resolve("layer"), archive);
    Transfer transfer =
        new Transfer(ModelSource.of("oci://r/a:t"), FetchListener.NONE, () -> false);
    Tar.Into into = new Tar.Into(folder, blobs(), 1 << 20, _ -> usable);
    return Tar.unpack(file, gzip, into, transfer);
  }

  private Blobs blobs() {
    return new Blobs(home.resolve("home"));
  }

  private void assertFails(Code code, byte[] archive, String word) {
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> unpack(archive, false, ""))
        .satisfies(e -> assertThat(e.code()).isEqualTo(code))
        .withMessageContaining(word);
  }

  /// Each format of GNU tar, with names that are too long for its header, packed or not.
  @ParameterizedTest
  @ValueSource(strings = {"gnu", "pax", "ustar", "v7", "oldgnu"})
  void readsWhatTarWrites(String format) throws Exception {
    boolean longNames = !format.equals("v7");
    String folder =
        longNames ? "models/" + "long".repeat(20) + "/" + "name".repeat(11) : "models/a";
    Path model = Files.createDirectories(home.resolve("in").resolve(folder));
    Files.write(model.resolve("model.safetensors"), WEIGHTS);
    Files.writeString(model.resolve("config.json"), "{}");
    Files.writeString(model.resolve("model.bin"), "a pickle");
    Files.writeString(home.resolve("in/outside.json"), "{}");
    for (boolean gzip : List.of(false, true)) {
      Path archive = home.resolve("made.tar");
      Process tar =
          new ProcessBuilder(
                  "tar",
                  "--create",
                  "--format=" + format,
                  gzip ? "--gzip" : "--record-size=512",
                  "--file=" + archive,
                  "--directory=" + home.resolve("in"),
                  ".")
              .inheritIO()
              .start();
      assertThat(tar.waitFor()).isZero();
      List<ListedFile> files = unpack(Files.readAllBytes(archive), gzip, "models");
      String below = folder.substring("models/".length());
      assertThat(files)
          .extracting(ListedFile::path)
          .containsExactlyInAnyOrder(below + "/model.safetensors", below + "/config.json");
      for (ListedFile file : files) {
        assertThat(blobs().of(file))
            .hasBinaryContent(Files.readAllBytes(model.resolve(file.name())));
      }
    }
  }

  @Test
  void namesThatLeadOutAreRefused() throws IOException {
    for (String name : List.of("../up.json", "a/../../up.json", "a/./up.json", "a//up.json")) {
      assertFails(Code.REFUSED, new TarBytes().file(name, WEIGHTS).bytes(), "leads out");
    }
    assertThat(unpack(new TarBytes().file("/abs.json", WEIGHTS).bytes(), false, ""))
        .extracting(ListedFile::path)
        .containsExactly("abs.json");
  }

  @Test
  void linksAndDeletionsAreNoModel() throws IOException {
    assertFails(
        Code.UNUSABLE, new TarBytes().link("m.gguf", "/etc/passwd").bytes(), "a link in place of");
    assertFails(
        Code.UNUSABLE,
        new TarBytes().file("a/.wh.config.json", new byte[0]).bytes(),
        "deletes files of another");
    assertThat(unpack(new TarBytes().link("bin/sh", "busybox").bytes(), false, "")).isEmpty();
  }

  @Test
  void whatIsTooMuchIsNotWritten() throws IOException {
    byte[] archive = new TarBytes().file("m.gguf", new byte[(1 << 20) + 1]).bytes();
    assertFails(Code.REFUSED, archive, "the limit is 1048576");
    usable = 100_000;
    assertFails(Code.DISK_FULL, new TarBytes().file("m.gguf", WEIGHTS).bytes(), "needs 100001");
  }

  @Test
  void whatIsNoArchiveIsSaidToBeNone() throws IOException {
    byte[] archive = new TarBytes().file("m.gguf", WEIGHTS).bytes();
    assertFails(Code.UNUSABLE, Arrays.copyOf(archive, 50_000), "not a whole archive");
    assertFails(Code.UNUSABLE, WEIGHTS, "not an archive of tar");
    byte[] damaged = archive.clone();
    damaged[3] ^= 1;
    assertFails(Code.UNUSABLE, damaged, "not an archive of tar");
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> unpack(archive, true, ""))
        .withMessageContaining("not a whole archive");
    assertFails(
        Code.UNUSABLE,
        new TarBytes().entry('x', "pax", "", "99 path=a".getBytes(UTF_8)).bytes(),
        "cannot be read");
  }
}
