package dev.weft.runtime.source;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.weft.functions.ModelSource;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.source.RegistryStandIn.Access;
import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A registry's protocol against a stand-in: which layers are fetched, who asks, and what is said
/// when the registry does not give them.
class OciSourceTest {
  private static final byte[] WEIGHTS = SourceFixture.bytes(3_000_000, 1);
  private static final byte[] SMALL = "{}".getBytes(UTF_8);
  private static final String LAYER = "application/vnd.oci.image.layer.v1.tar";
  private static final String MODEL_PACK = "application/vnd.cncf.model.weight.v1";

  private @TempDir Path home;
  private SourceFixture fixture;
  private RegistryStandIn registry;

  @BeforeEach
  void start() throws IOException {
    registry = new RegistryStandIn();
    fixture = fixture();
    login("{\"auths\":{\"%s\":{}}}".formatted(registry.host()));
  }

  private SourceFixture fixture() {
    SourceFixture made = new SourceFixture(home);
    made.environment.put("DOCKER_CONFIG", home.toString());
    return made;
  }

  /// Writes what `docker login` writes. A registry that it names may be on this machine.
  private void login(String config) throws IOException {
    Files.writeString(home.resolve("config.json"), config);
  }

  private void login() throws IOException {
    login(
        "{\"auths\":{\"https://%s/v1/\":{\"auth\":\"%s\"}}}"
            .formatted(registry.host(), RegistryStandIn.LOGIN));
  }

  private RegistryStandIn withArtifact() {
    return registry
        .file("config.json", SMALL)
        .file("README.md", "# tiny".getBytes(UTF_8))
        .file("model.safetensors", WEIGHTS);
  }

  @AfterEach
  void stop() {
    registry.close();
  }

  private void assertFails(Code code, String uri, String... words) {
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> fixture.fetch(uri))
        .satisfies(e -> assertThat(e.code()).isEqualTo(code))
        .withMessageContainingAll(words)
        .satisfies(e -> assertThat(e.getMessage()).doesNotContain("geheim", RegistryStandIn.LOGIN));
  }

  @Test
  void ofAnArtifactTheModelsFilesAreTaken() {
    String digest = withArtifact().tag("v1");
    String uri = registry.address("v1");
    Inspection before = fixture.inspect(uri);
    assertThat(registry.contents()).isEmpty();
    FetchedModel model = fixture.fetch(uri);

    assertThat(model.path()).hasFileName(digest.substring("sha256:".length()));
    assertThat(model.path().resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(model.path().resolve("config.json")).hasBinaryContent(SMALL);
    assertThat(model.path().resolve("README.md")).doesNotExist();
    assertThat(registry.contents()).hasSize(2);
    assertThat(before.tier()).isEqualTo(Tier.REMOTE);
    assertThat(before.bytes()).hasValue(model.bytes());
    assertThat(fixture.inspect(registry.address(digest)).tier()).isEqualTo(Tier.DISK);
    assertThat(fixture.last.bytesDone())
        .isEqualTo(fixture.last.bytesTotal().getAsLong())
        .isEqualTo(model.bytes());
  }

  @Test
  void aDigestIsTheSameWhateverTheTagIsMeanwhile() {
    String digest = registry.file("m.gguf", SMALL).tag("v1");
    registry.removeLayers();
    registry.file("m.gguf", WEIGHTS).tag("v1");
    assertThat(fixture.fetch(registry.address(digest)).path()).hasBinaryContent(SMALL);
    assertThat(fixture.fetch(registry.address("v1")).path()).hasBinaryContent(WEIGHTS);
  }

  @Test
  void filesOfModelPackAreReadRawAndPacked() throws IOException {
    byte[] tar = new TarBytes().file("weights/model.safetensors", WEIGHTS).bytes();
    registry
        .layer(MODEL_PACK + ".raw", SMALL, "org.cncf.model.filepath", "weights/config.json")
        .layer(MODEL_PACK + ".tar", tar, "org.cncf.model.filepath", "weights/model.safetensors")
        .tag("v1");
    assertThat(fixture.inspect(registry.address("v1")).bytes()).hasValue(tar.length + 2L);
    Path model = fixture.fetch(registry.address("v1")).path();
    assertThat(model).hasFileName("weights");
    assertThat(model.resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(model.resolve("config.json")).hasBinaryContent(SMALL);
    try (var files = Files.walk(fixture.settings().cache().resolve("oci"))) {
      assertThat(
              files
                  .filter(file -> Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS))
                  .mapToLong(file -> file.toFile().length())
                  .sum())
          .as("the packed layer is not kept")
          .isEqualTo(WEIGHTS.length + 2L);
    }
  }

  @Test
  void ofAnImageTheFilesUnderModelsAreTaken() throws IOException {
    registry
        .layer(LAYER + "+gzip", new TarBytes().file("etc/config.json", WEIGHTS).gzip())
        .layer(
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            new TarBytes()
                .directory("models/")
                .file("models/config.json", SMALL)
                .file("./models/model.safetensors", WEIGHTS)
                .gzip())
        .tag("v1");
    Path model = fixture.fetch(registry.address("v1")).path();
    assertThat(model.resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(model.resolve("config.json")).hasBinaryContent(SMALL);
    assertThat(model).isDirectoryNotContaining("glob:**etc");
    int asked = registry.seen.size();
    assertThat(fixture.fetch(registry.address("v1")).path()).isEqualTo(model);
    assertThat(registry.seen).hasSize(asked);
  }

  @Test
  void aFolderThatOrasPackedIsUnpacked() throws IOException {
    registry
        .layer(
            LAYER + "+gzip",
            new TarBytes().file("tiny/m.gguf", WEIGHTS).gzip(),
            "org.opencontainers.image.title",
            "tiny",
            "io.deis.oras.content.unpack",
            "true")
        .tag("v1");
    assertThat(fixture.fetch(registry.address("v1")).path()).hasBinaryContent(WEIGHTS);
  }

  @Test
  void ofAnIndexTheManifestForThisMachineIsTaken() {
    String amd = registry.file("m.gguf", WEIGHTS).tag("amd");
    registry.removeLayers();
    String arm = registry.file("m.gguf", SMALL).tag("arm");
    registry.index("both", Map.of(amd, "amd64", arm, "arm64"));
    registry.index("one", Map.of(arm, "arm64", "sha256:" + "0".repeat(64), "unknown"));
    registry.index("none", Map.of(arm, "arm64", "sha256:" + "0".repeat(64), "riscv64"));
    assertThat(fixture.fetch(registry.address("both")).path()).hasBinaryContent(WEIGHTS);
    assertThat(fixture.fetch(registry.address("one")).path()).hasBinaryContent(SMALL);
    assertFails(Code.NOT_FOUND, registry.address("none"), "none for linux/amd64");
  }

  @Test
  void whatIsNotThereOrNoModelIsSaid() {
    registry.layer("application/octet-stream", WEIGHTS).tag("nameless");
    registry.layer(LAYER + "+zstd", WEIGHTS).tag("zstd");
    assertFails(Code.NOT_FOUND, registry.address("absent"), "no", "acme/tiny:absent");
    assertFails(Code.UNUSABLE, registry.address("nameless"), "org.opencontainers.image.title");
    assertFails(Code.UNUSABLE, registry.address("zstd"), "zstd");
    for (String name : List.of("../up.json", "/up.json", "sha256:/../../up.json")) {
      registry.removeLayers();
      registry.file(name, SMALL).tag("up");
      assertFails(Code.REFUSED, registry.address("up"), "leads out");
    }
  }

  @Test
  void anotherContentThanTheDigestsIsRefused() {
    String digest = withArtifact().tag("v1");
    byte[] other = WEIGHTS.clone();
    other[7] ^= 1;
    registry.damage(RegistryStandIn.digest(WEIGHTS), other);
    assertFails(Code.CHECKSUM, registry.address("v1"), "model.safetensors hashes to");
    registry.damage(digest, "{\"layers\":[]}".getBytes(UTF_8));
    assertFails(Code.CHECKSUM, registry.address(digest), "the manifest hashes to");
  }

  @Test
  void aTransferThatIsCutGoesOnWhereItStopped() {
    registry.file("m.gguf", WEIGHTS).tag("v1");
    // What is on its way when a connection breaks may be lost.
    registry.cutAfterBytes = 1_200_000;
    registry.cuts.set(1);
    assertThat(fixture.fetch(registry.address("v1")).path()).hasBinaryContent(WEIGHTS);
    assertThat(registry.contents())
        .extracting(seen -> String.valueOf(seen.range()).replaceAll("\\d{6}-", "-"))
        .containsExactly("null", "bytes=1-");
  }

  @Test
  void aKilledDownloadGoesOnWhereItStopped() {
    registry.file("m.gguf", WEIGHTS).tag("v1");
    registry.pauseMillis = 5;
    List<ModelSource> sources = SourceFixture.sources(registry.address("v1"));
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> fixture.fetch(() -> fixture.last.bytesDone() > 1_000_000, sources));
    registry.pauseMillis = 0;
    assertThat(fixture().fetch(registry.address("v1")).path()).hasBinaryContent(WEIGHTS);
    assertThat(Objects.requireNonNull(registry.contents().getLast().range()))
        .matches("bytes=\\d{6,}-");
  }

  @Test
  void tokensAreFetchedWithTheLoginAndForTheRepository() throws IOException {
    registry.access = Access.TOKEN;
    withArtifact().tag("v1");
    login();
    assertThat(fixture.fetch(registry.address("v1")).path()).exists();
    assertThat(registry.tokens).hasValue(1);
    assertThat(registry.seen)
        .filteredOn(seen -> seen.server().equals("auth"))
        .singleElement()
        .satisfies(seen ->
            assertThat(seen.path())
                .isEqualTo("/token?service=the%20registry&scope=repository:acme/tiny:pull"));
    assertThat(registry.contents()).allMatch(seen -> seen.authorization() == null);
  }

  @Test
  void aTokenThatRanOutIsFetchedAnew() throws IOException {
    registry.access = Access.TOKEN;
    registry.tokenSeconds = 1;
    registry.file("m.gguf", WEIGHTS).tag("v1");
    registry.cutAfterBytes = 1 << 20;
    registry.cuts.set(1);
    login();
    assertThat(fixture.fetch(registry.address("v1")).path()).hasBinaryContent(WEIGHTS);
    assertThat(registry.tokens.get()).isEqualTo(3);
  }

  @Test
  void aLoginIsSentWhereTheRegistryAsksForIt() throws IOException {
    registry.access = Access.BASIC;
    registry.file("m.gguf", WEIGHTS).tag("v1");
    login(
        "{\"auths\":{\"%s\":{\"username\":\"me\",\"password\":\"geheim\"}}}"
            .formatted(registry.host()));
    assertThat(fixture.fetch(registry.address("v1")).path()).hasBinaryContent(WEIGHTS);
    assertThat(registry.contents()).allMatch(seen -> seen.authorization() == null);
  }

  @Test
  void whoHasNoLoginOrAWrongOneIsTold() throws IOException {
    registry.file("m.gguf", WEIGHTS).tag("v1");
    for (Access access : List.of(Access.BASIC, Access.TOKEN)) {
      registry.access = access;
      login("{\"auths\":{\"%s\":{}}}".formatted(registry.host()));
      assertFails(Code.UNAUTHORISED, registry.address("v1"), "is not public", "DOCKER_CONFIG");
      login("{\"auths\":{\"%s\":{\"auth\":\"bm86bm8=\"}}}".formatted(registry.host()));
      assertFails(Code.UNAUTHORISED, registry.address("v1"), "may not read");
      login("{\"auths\":{\"%s\":{\"auth\":\"geheim\\u0001\"}}}".formatted(registry.host()));
      assertFails(Code.UNUSABLE, registry.address("v1"), "characters that cannot be sent");
      login(
          "{\"auths\":{\"%1$s\":{}},\"credHelpers\":{\"%1$s\":\"pass\"}}"
              .formatted(registry.host()));
      assertFails(Code.UNAUTHORISED, registry.address("v1"), "docker-credential-pass");
    }
    login("geheim");
    assertFails(Code.UNUSABLE, registry.address("v1"), "config.json is not JSON");
  }

  @Test
  void aRegistryThatIsNotTheOwnersIsNotOnThisMachine() throws IOException {
    registry.file("m.gguf", WEIGHTS).tag("v1");
    login("{}");
    assertFails(Code.REFUSED, registry.address("v1"), "WEFT_ALLOW_PRIVATE_ADDRESSES");
    assertThat(registry.seen).isEmpty();
  }

  @Test
  void manyFetchersDownloadOnce() throws Exception {
    registry.file("m.gguf", WEIGHTS).tag("v1");
    registry.pauseMillis = 2;
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Callable<Path>> fetches =
          IntStream.range(0, 8)
              .<Callable<Path>>mapToObj(_ -> () -> fixture().fetch(registry.address("v1")).path())
              .toList();
      for (Future<Path> fetch : threads.invokeAll(fetches)) {
        assertThat(fetch.get()).hasBinaryContent(WEIGHTS);
      }
    }
    assertThat(registry.contents()).hasSize(1);
  }

  @Test
  void aSha256IsForASingleFile() {
    registry.file("m.gguf", WEIGHTS).tag("one");
    registry.removeLayers();
    withArtifact().tag("several");
    String hash = RegistryStandIn.digest(WEIGHTS).substring("sha256:".length());
    String one = registry.address("one");
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> fixture.fetch(() -> false, List.of(new ModelSource(one, "0".repeat(64)))))
        .satisfies(e -> assertThat(e.code()).isEqualTo(Code.CHECKSUM));
    assertThat(registry.contents()).isEmpty();
    assertThat(fixture.fetch(() -> false, List.of(new ModelSource(one, hash))).path())
        .hasBinaryContent(WEIGHTS);
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() ->
            fixture.fetch(() -> false, List.of(new ModelSource(registry.address("several"), hash))))
        .satisfies(e -> assertThat(e.code()).isEqualTo(Code.UNUSABLE));
  }

  @Test
  void dockersOwnRegistryHasOtherNames() {
    OciAddress address = OciAddress.of(ModelSource.of("oci://docker.io/tiny:v1"));
    assertThat(address.host()).isEqualTo("registry-1.docker.io");
    assertThat(address.repository()).isEqualTo("library/tiny");
  }
}
