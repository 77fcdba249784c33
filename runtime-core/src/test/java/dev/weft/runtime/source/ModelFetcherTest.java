package dev.weft.runtime.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.weft.functions.ModelSource;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The list of sources: order, what is skipped, what is said when nothing works; and local paths.
class ModelFetcherTest {
  private @TempDir Path home;
  private SourceFixture fixture;
  private Path file;

  @BeforeEach
  void start() throws IOException {
    fixture = new SourceFixture(home);
    file = Files.writeString(home.resolve("a model.gguf"), "GGUF");
  }

  @Test
  void aLocalPathStaysWhereItIs() {
    for (String uri :
        List.of("file:" + file, "file://" + file, ("file:" + file).replace(" ", "%20"))) {
      FetchedModel model = fixture.fetch(uri);
      assertThat(model.path()).isEqualTo(file);
      assertThat(model.bytes()).isEqualTo(4);
    }
    assertThat(fixture.inspect("file:" + file).tier()).isEqualTo(Tier.DISK);
    assertThat(fixture.inspect("file:" + file).bytes()).hasValue(4);
  }

  @Test
  void aLocalFileIsHashedEveryTime() throws IOException {
    String sha256 = Hashes.sha256("GGUF");
    List<ModelSource> sources = List.of(new ModelSource("file:" + file, sha256));
    assertThat(fixture.fetch(() -> false, sources).path()).isEqualTo(file);
    Files.writeString(file, "GGUG");
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> fixture.fetch(() -> false, sources))
        .satisfies(e -> assertThat(e.code()).isEqualTo(Code.CHECKSUM));
  }

  @Test
  void theNextSourceIsTriedAndTheSkippedOneNamed() {
    FetchedModel model = fixture.fetch("file:/absent.gguf", "file:" + file);
    assertThat(model.source().uri()).isEqualTo("file:" + file);
    assertThat(fixture.skipped).containsExactly("file:/absent.gguf: no such file or directory");
  }

  @Test
  void whenAllFailEachIsListedWithItsReason() {
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> fixture.fetch("file:/absent.gguf", "hf://acme/tiny"))
        .satisfies(e -> {
          assertThat(e.code()).isEqualTo(Code.ALL_FAILED);
          assertThat(e.failures()).hasSize(2);
        })
        .withMessage(
            "no source gives the model: file:/absent.gguf: no such file or directory;"
                + " hf://acme/tiny: the host hub.invalid is not known");
  }

  @Test
  void cancellingEndsTheListAndNotOnlyTheSource() {
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(
            () -> fixture.fetch(() -> true, SourceFixture.sources("file:/absent", "file:" + file)))
        .satisfies(e -> assertThat(e.code()).isEqualTo(Code.CANCELLED));
    assertThat(fixture.skipped).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "file:relative.gguf",
        "file:../up.gguf",
        "https://example.org/model.safetensors",
        "pypi://package==1.0//x",
        "pypi://--index-url==1.0/x"
      })
  void anAddressThatCannotBeMeantIsRefused(String uri) {
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> fixture.fetch(uri))
        .satisfies(e -> assertThat(e.code()).isEqualTo(Code.UNUSABLE));
  }
}
