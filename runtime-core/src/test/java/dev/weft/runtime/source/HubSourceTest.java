package dev.weft.runtime.source;

import static dev.weft.runtime.source.HubStandIn.COMMIT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.weft.functions.ModelSource;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The hub's protocol against a stand-in: what is fetched, where it lies, and what happens when the
/// other side, the network or the disk does not do what it should.
class HubSourceTest {
  private static final String MODEL = "hf://acme/tiny";
  private static final byte[] WEIGHTS = SourceFixture.bytes(3_000_000, 1);

  private @TempDir Path home;
  private SourceFixture fixture;
  private HubStandIn hub;

  @BeforeEach
  void start() throws IOException {
    hub =
        new HubStandIn()
            .with("config.json", "{\"model_type\":\"bert\"}")
            .with("tokenizer.json", "{}")
            .with("1_Pooling/config.json", "{\"pooling_mode_mean_tokens\":true}")
            .with("README.md", "# tiny")
            .with("pytorch_model.bin", "a pickle")
            .with("model.safetensors", WEIGHTS);
    fixture = new SourceFixture(home).withHub(hub);
  }

  @AfterEach
  void stop() {
    hub.close();
  }

  private Path repository() {
    return home.resolve("hf/hub/models--acme--tiny");
  }

  private void assertFails(Code code, String... words) {
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> fixture.fetch(MODEL))
        .satisfies(e -> assertThat(e.code()).isEqualTo(code))
        .withMessageContainingAll(words);
  }

  @Test
  void aModelLiesInTheLayoutThatOtherToolsShare() throws IOException {
    FetchedModel model = fixture.fetch(MODEL);

    assertThat(model.path()).isEqualTo(repository().resolve("snapshots/" + COMMIT));
    assertThat(repository().resolve("refs/main")).hasContent(COMMIT);
    Path weights = model.path().resolve("model.safetensors");
    assertThat(weights).hasBinaryContent(WEIGHTS);
    assertThat(Files.readSymbolicLink(weights))
        .isEqualTo(Path.of("../../blobs", HubStandIn.hash("model.safetensors", WEIGHTS)));
    assertThat(Files.readSymbolicLink(model.path().resolve("1_Pooling/config.json")).toString())
        .startsWith("../../../blobs/");
    assertThat(model.path().resolve("README.md")).doesNotExist();
    assertThat(model.path().resolve("pytorch_model.bin")).doesNotExist();
    assertThat(fixture.last.bytesDone())
        .isEqualTo(fixture.last.bytesTotal().getAsLong())
        .isEqualTo(model.bytes());
  }

  @Test
  void inspectionTellsSizeAndTierWithoutTheWeights() {
    Inspection before = fixture.inspect(MODEL);
    assertThat(hub.contentRequests()).isEmpty();
    FetchedModel model = fixture.fetch(MODEL);
    assertThat(before.tier()).isEqualTo(Tier.REMOTE);
    assertThat(before.bytes()).hasValue(model.bytes());
    assertThat(fixture.inspect(MODEL).tier()).isEqualTo(Tier.DISK);
  }

  @Test
  void whatWasFetchedOnceAsksNobody() {
    fixture.fetch(MODEL);
    int asked = hub.seen.size();
    fixture.fetch(MODEL);
    assertThat(hub.seen).hasSize(asked);
  }

  @Test
  void aFileThatChangedOnDiskIsFetchedAgain() throws IOException {
    Path weights = fixture.fetch(MODEL).path().resolve("model.safetensors").toRealPath();
    byte[] changed = WEIGHTS.clone();
    changed[1_000_000] ^= 1;
    Files.write(weights, changed);
    Files.setLastModifiedTime(weights, java.nio.file.attribute.FileTime.fromMillis(1));
    fixture.fetch(MODEL);
    assertThat(weights).hasBinaryContent(WEIGHTS);
    assertThat(fixture.notes).anyMatch(note -> note.contains("damaged"));
  }

  @Test
  void aKilledDownloadGoesOnWhereItStopped() {
    hub.pauseMillis = 5;
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() ->
            fixture.fetch(() -> fixture.last.bytesDone() > 1_000_000, SourceFixture.sources(MODEL)))
        .satisfies(e -> assertThat(e.code()).isEqualTo(Code.CANCELLED));
    hub.pauseMillis = 0;

    FetchedModel model = fixture.fetch(MODEL);
    assertThat(model.path().resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    String range = Objects.requireNonNull(hub.contentRequests().getLast().range());
    assertThat(range).matches("bytes=\\d{6,}-");
    assertThat(Integer.parseInt(range.substring(6, range.length() - 1))).isGreaterThan(900_000);
  }

  @Test
  void aTransferThatIsCutGoesOnAtOnce() {
    hub.cutAfterBytes = 1 << 20;
    hub.cuts.set(2);
    FetchedModel model = fixture.fetch(MODEL);
    assertThat(model.path().resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(hub.contentRequests())
        .extracting(HubStandIn.Seen::range)
        .hasSize(3)
        .element(2)
        .asString()
        .matches("bytes=20\\d{5}-"); // about 2 MiB: a cut connection may lose its last bytes
  }

  @Test
  void aTransferThatAlwaysEndsEarlyIsReportedAndItsPartKept() throws IOException {
    hub.cutAfterBytes = 1000;
    hub.cuts.set(1000);
    assertFails(Code.TRUNCATED, "model.safetensors", "of 3000000");
    try (Stream<Path> blobs = Files.list(repository().resolve("blobs"))) {
      assertThat(blobs.filter(blob -> blob.toString().endsWith(".incomplete")).findFirst())
          .hasValueSatisfying(part -> assertThat(part).hasSize(5000));
    }
  }

  @Test
  void bytesOfAnotherHashAreRefusedAndNotKept() throws IOException {
    byte[] other = WEIGHTS.clone();
    other[0] ^= 1;
    hub.send("model.safetensors", other);
    assertFails(Code.CHECKSUM, "model.safetensors", "was promised");
    try (Stream<Path> blobs = Files.list(repository().resolve("blobs"))) {
      assertThat(blobs.filter(blob -> blob.getFileName().toString().length() >= 64)).isEmpty();
    }
    assertThat(repository().resolve("snapshots/" + COMMIT + "/model.safetensors")).doesNotExist();
  }

  @Test
  void aSmallFileOfAnotherHashIsRefused() {
    hub.send(
        "config.json",
        "{\"model_type\":\"evil\"}".getBytes(java.nio.charset.StandardCharsets.UTF_8));
    assertFails(Code.CHECKSUM, "config.json", "git-SHA-1");
  }

  @Test
  void moreBytesThanPromisedAreRefused() {
    hub.send("model.safetensors", SourceFixture.bytes(3_000_001, 1));
    assertFails(Code.CHECKSUM, "more than the promised 3000000");
  }

  @Test
  void aFileThatChangedBetweenListAndDownloadIsRefusedBeforeItIsTransferred() {
    hub.linkedEtag = "f".repeat(64);
    assertFails(Code.CHECKSUM, "changed on the hub");
    assertThat(fixture.last.bytesDone()).isLessThan(1000);
  }

  @Test
  void refusalsSayWhatToDo() {
    hub.status = 401;
    hub.errorCode = "RepoNotFound";
    assertFails(Code.UNAUTHORISED, "no public model acme/tiny", "HF_TOKEN");
    hub.status = 403;
    hub.errorCode = "GatedRepo";
    assertFails(Code.UNAUTHORISED, "gated", "accept its terms");
    hub.status = 404;
    hub.errorCode = "RepoNotFound";
    assertFails(Code.NOT_FOUND, "no model acme/tiny");
    hub.status = 503;
    assertFails(Code.UNREACHABLE, "503");
    hub.status = 200;
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> fixture.fetch("hf://acme/tiny@v9"))
        .withMessageContaining("no revision v9");
  }

  @Test
  void theTokenGoesToTheHubAndToNobodyElse() {
    fixture.environment.put("HF_TOKEN", "hf_secret");
    fixture.fetch(MODEL);
    assertThat(hub.seen)
        .allSatisfy(request ->
            assertThat(request.authorization())
                .isEqualTo(request.server().equals("hub") ? "Bearer hf_secret" : null));
    assertThat(hub.contentRequests()).isNotEmpty();
  }

  @Test
  void offlineTakesWhatIsInTheCacheAndAsksNobody() throws IOException {
    fixture.environment.put("HF_HUB_OFFLINE", "1");
    assertFails(Code.UNREACHABLE, "HF_HUB_OFFLINE", "not in the cache");
    fixture.environment.remove("HF_HUB_OFFLINE");
    fixture.fetch(MODEL);
    int asked = hub.seen.size();
    FileTree.delete(fixture.settings().cache()); // as if another tool had fetched it

    fixture.environment.put("HF_HUB_OFFLINE", "1");
    assertThat(fixture.inspect(MODEL).tier()).isEqualTo(Tier.DISK);
    assertThat(fixture.fetch(MODEL).path().resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(hub.seen).hasSize(asked);
  }

  @Test
  void aHubThatIsGoneIsNoObstacleToACachedModel() {
    fixture.fetch(MODEL);
    FileTree.delete(fixture.settings().cache());
    hub.close();
    fixture.fetch(MODEL);
    assertThat(fixture.notes)
        .anyMatch(note -> note.contains("using commit 01234567 from the cache"));
  }

  @Test
  void aHubThatRefusesOrHasNoAddressIsSkippedQuicklyWithOneLine() throws IOException {
    Path local = Files.writeString(home.resolve("tiny.gguf"), "GGUF");
    for (String endpoint : List.of("http://127.0.0.1:1", "https://hub.invalid")) {
      fixture.environment.put("HF_ENDPOINT", endpoint);
      fixture.skipped.clear();
      long start = System.nanoTime();
      FetchedModel model = fixture.fetch(MODEL, "file:" + local);
      assertThat(model.path()).isEqualTo(local);
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(4));
      assertThat(fixture.skipped).singleElement().asString().startsWith(MODEL).doesNotContain("\n");
    }
  }

  @Test
  void plainHttpToAnotherMachineIsRefused() {
    fixture.environment.put("HF_ENDPOINT", "http://192.0.2.1");
    assertFails(Code.REFUSED, "HF_ENDPOINT is plain http");
  }

  @Test
  void manyFetchersDownloadOnce() throws Exception {
    hub.pauseMillis = 2;
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Callable<Path>> fetches =
          IntStream.range(0, 8)
              .<Callable<Path>>mapToObj(
                  _ -> () -> new SourceFixture(home).withHub(hub).fetch(MODEL).path())
              .toList();
      for (Future<Path> fetch : threads.invokeAll(fetches)) {
        assertThat(fetch.get().resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
      }
    }
    assertThat(hub.contentRequests()).hasSize(1);
  }

  @Test
  void aDiskWithoutRoomIsNoticedBeforeTheTransfer() {
    fixture.disk = _ -> 1_000_000;
    assertFails(Code.DISK_FULL, "needs 3000000 more bytes", "1000000 free");
    assertThat(fixture.last.bytesDone()).isLessThan(1000);
  }

  @Test
  void aFileOverTheLimitIsRefused() {
    fixture.maxFileBytes = 2_000_000;
    assertFails(Code.REFUSED, "3000000 bytes", "limit");
  }

  @Test
  void aSha256IsForASingleFile() {
    hub.with("gguf/tiny.Q4_K_M.gguf", WEIGHTS);
    String hash = HubStandIn.hash("x.gguf", WEIGHTS);
    String file = MODEL + "@" + COMMIT + "/gguf/tiny.Q4_K_M.gguf";
    FetchedModel model = fixture.fetch(() -> false, List.of(new ModelSource(file, hash)));
    assertThat(model.path()).hasBinaryContent(WEIGHTS).hasFileName("tiny.Q4_K_M.gguf");
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(
            () -> fixture.fetch(() -> false, List.of(new ModelSource(file, "0".repeat(64)))))
        .satisfies(e -> assertThat(e.code()).isEqualTo(Code.CHECKSUM));
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> fixture.fetch(() -> false, List.of(new ModelSource(MODEL, hash))))
        .satisfies(e -> assertThat(e.code()).isEqualTo(Code.UNUSABLE));
  }
}
