package dev.weft.runtime.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.weft.functions.ModelSource;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.source.S3StandIn.Refusal;
import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// S3's protocol against a stand-in: what is fetched, who asks, and what is said when the store
/// does not give it.
class S3SourceTest {
  private static final String FOLDER = "s3://models/tiny";
  private static final String FILE = "s3://models/gguf/tiny.Q4_K_M.gguf";
  private static final String SECRET = "s3cr3t/+";
  private static final byte[] WEIGHTS = SourceFixture.bytes(3_000_000, 1);

  private @TempDir Path home;
  private SourceFixture fixture;
  private S3StandIn store;

  @BeforeEach
  void start() throws IOException {
    store =
        new S3StandIn()
            .with("tiny/", "")
            .with("tiny/config.json", "{}")
            .with("tiny/tokenizer.json", "{}")
            .with("tiny/1_Pooling/config.json", "{}")
            .with("tiny/README.md", "# tiny")
            .with("tiny/pytorch_model.bin", "a pickle")
            .with("tiny/model.safetensors", WEIGHTS)
            .with("tiny-other/model.safetensors", "another")
            .with("gguf/tiny.Q4_K_M.gguf", WEIGHTS)
            .with("gguf/tiny.F16.gguf", "larger");
    fixture = fixture();
  }

  private SourceFixture fixture() {
    SourceFixture made = new SourceFixture(home);
    made.environment.keySet().removeIf(name -> name.startsWith("AWS_"));
    made.environment.put("AWS_ENDPOINT_URL_S3", store.endpoint());
    made.environment.put("AWS_REGION", "eu-central-1");
    return made;
  }

  private void withKeys(String secret) {
    fixture.environment.put("AWS_ACCESS_KEY_ID", S3StandIn.ID);
    fixture.environment.put("AWS_SECRET_ACCESS_KEY", secret);
  }

  @AfterEach
  void stop() {
    store.close();
  }

  private void assertFails(Code code, String uri, String... words) {
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> fixture.fetch(uri))
        .satisfies(e -> assertThat(e.code()).isEqualTo(code))
        .withMessageContainingAll(words)
        .satisfies(e -> assertThat(e.getMessage()).doesNotContain(SECRET));
  }

  @Test
  void ofAFolderTheModelsFilesAreTaken() {
    Inspection before = fixture.inspect(FOLDER);
    assertThat(store.contents()).isEmpty();
    FetchedModel model = fixture.fetch(FOLDER + "/");

    assertThat(model.path().resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
    assertThat(model.path().resolve("1_Pooling/config.json")).hasContent("{}");
    assertThat(model.path().resolve("README.md")).doesNotExist();
    assertThat(model.path().resolve("pytorch_model.bin")).doesNotExist();
    assertThat(before.tier()).isEqualTo(Tier.REMOTE);
    assertThat(before.bytes()).hasValue(model.bytes());
    assertThat(fixture.last.bytesDone())
        .isEqualTo(fixture.last.bytesTotal().getAsLong())
        .isEqualTo(model.bytes());
  }

  @Test
  void oneObjectIsOneFileForWhichNothingIsListed() {
    store.listingAllowed = false;
    FetchedModel model = fixture.fetch(FILE);
    assertThat(model.path()).hasBinaryContent(WEIGHTS).hasFileName("tiny.Q4_K_M.gguf");
    assertThat(fixture.inspect(FILE).tier()).isEqualTo(Tier.DISK);
    assertThat(fixture.inspect("s3://models/gguf/tiny.F16.gguf").bytes()).hasValue(6);
  }

  @Test
  void ofSeveralFilesOneIsChosenAsOnAHub() {
    assertThat(fixture.fetch("s3://models/gguf").path()).hasFileName("tiny.Q4_K_M.gguf");
    assertThat(fixture.notes).anyMatch(note -> note.contains("of 2 GGUF files"));
  }

  @Test
  void longListingsComeInPages() {
    store.pageSize = 2;
    assertThat(fixture.fetch(FOLDER).path().resolve("model.safetensors")).exists();
    assertThat(store.seen.stream().filter(S3StandIn.Seen::isListing).count()).isEqualTo(4);
  }

  @Test
  void aListingWithoutEndIsRefused() {
    store.pageSize = 1;
    IntStream.range(0, 60).forEach(i -> store.with("many/%d.json".formatted(i), "{}"));
    assertFails(Code.REFUSED, "s3://models/many", "more than 50 objects");
  }

  @Test
  void namesAreAsTheStoreHasThem() {
    store.with("ünïcode/模型+1=2&3.gguf", "GGUF");
    assertThat(fixture.fetch("s3://models/ünïcode").path())
        .hasContent("GGUF")
        .hasFileName("模型+1=2&3.gguf");
  }

  @Test
  void keysThatCannotBeFilesAreNone() {
    store.with("odd/../../up.json", "{}").with("odd//x.json", "{}").with("odd/m.gguf", "GGUF");
    Path model = fixture.fetch("s3://models/odd").path();
    assertThat(model).hasContent("GGUF");
    assertThat(model.getParent()).isDirectoryNotContaining("glob:**.json");
  }

  @Test
  void requestsAreSignedWhereThereAreKeys() {
    store.secret = Optional.of(SECRET);
    withKeys(SECRET);
    assertThat(fixture.fetch(FOLDER).path().resolve("model.safetensors")).exists();
    assertThat(store.seen).isNotEmpty().allMatch(S3StandIn.Seen::signed);
  }

  @Test
  void whoHasNoKeysOrWrongOnesIsTold() {
    store.secret = Optional.of(SECRET);
    assertFails(Code.UNAUTHORISED, FOLDER, "not public", "set AWS_ACCESS_KEY_ID");
    fixture.environment.put("AWS_ROLE_ARN", "arn:aws:iam::1:role/r");
    assertFails(Code.UNAUTHORISED, FILE, "roles (AWS_ROLE_ARN) are not used");
    withKeys("wrong");
    assertFails(Code.UNAUTHORISED, FOLDER, "AWS_SECRET_ACCESS_KEY is not the secret");
    withKeys(SECRET);
    store.listingAllowed = false;
    assertFails(Code.UNAUTHORISED, FOLDER, "may not read the bucket models");
  }

  @Test
  void whatIsNotThereIsNamed() {
    assertFails(Code.NOT_FOUND, "s3://other/tiny", "no bucket other");
    assertFails(Code.NOT_FOUND, "s3://models/absent.gguf", "has no object absent.gguf");
    assertFails(Code.NOT_FOUND, "s3://models/absent", "there is no absent");
  }

  @ParameterizedTest
  @CsvSource({
    "403, InvalidAccessKeyId, UNAUTHORISED, AWS_ACCESS_KEY_ID",
    "400, ExpiredToken, UNAUTHORISED, AWS_SESSION_TOKEN",
    "403, RequestTimeTooSkewed, UNUSABLE, clock",
    "301, PermanentRedirect, UNUSABLE, AWS_REGION=eu-west-3",
    "400, AuthorizationHeaderMalformed, UNUSABLE, AWS_REGION=eu-west-3",
    "503, SlowDown, UNREACHABLE, 503",
    "400, Whatever, UNUSABLE, the store answers Whatever",
    "404, Whatever, NOT_FOUND, the store answers Whatever",
  })
  void refusalsSayWhatToDo(int status, String name, Code code, String word) {
    store.refusal = Optional.of(new Refusal(status, name, "eu-west-3"));
    assertFails(code, FOLDER, word);
    assertFails(code, FILE, word);
  }

  @Test
  void whatIsNoStoreIsSaidToBeNone() {
    store.refusal = Optional.of(new Refusal(200, "Welcome", ""));
    assertFails(Code.UNUSABLE, FOLDER, "is not an object store");
    assertFails(Code.UNUSABLE, FILE, "sends no parts");
  }

  @Test
  void aTransferThatIsCutGoesOnWhereItStopped() {
    // What is on its way when a connection breaks may be lost.
    store.cutAfterBytes = 1_200_000;
    store.cuts.set(2);
    assertThat(fixture.fetch(FILE).path()).hasBinaryContent(WEIGHTS);
    assertThat(store.contents())
        .extracting(seen -> String.valueOf(seen.range()).replaceAll("\\d{6}-", "-"))
        .containsExactly("bytes=0-0", "null", "bytes=1-", "bytes=2-");
    assertThat(store.contents().subList(1, 4)).allMatch(seen -> seen.ifMatch() != null);
  }

  @Test
  void aKilledDownloadGoesOnUnlessTheObjectIsAnother() {
    store.pauseMillis = 5;
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() ->
            fixture.fetch(() -> fixture.last.bytesDone() > 1_000_000, SourceFixture.sources(FILE)));
    store.pauseMillis = 0;
    store.seen.clear();
    byte[] other = SourceFixture.bytes(2_000_000, 2);
    store.with("gguf/tiny.Q4_K_M.gguf", other);
    assertThat(fixture().fetch(FILE).path()).hasBinaryContent(other);
    assertThat(store.contents().getLast().range()).isNull();

    store.with("gguf/tiny.Q4_K_M.gguf", WEIGHTS);
    SourceFixture again = fixture();
    FileTree.delete(again.settings().cache().resolve("receipts"));
    assertThat(again.fetch(FILE).path()).hasBinaryContent(WEIGHTS);
    assertThat(Objects.requireNonNull(store.contents().getLast().range()))
        .matches("bytes=\\d{6,}-");
  }

  @Test
  void anObjectThatChangesMeanwhileIsNotMixed() {
    store.pauseMillis = 20;
    store.cutAfterBytes = 1 << 20;
    store.cuts.set(1);
    byte[] other = SourceFixture.bytes(WEIGHTS.length, 2);
    FetchListener changing =
        new FetchListener() {
          @Override
          public void onProgress(ModelSource source, Progress progress) {
            if (progress.bytesDone() > 500_000) {
              store.with("gguf/tiny.Q4_K_M.gguf", other);
            }
          }
        };
    ModelFetcher fetcher = new ModelFetcher(fixture.settings());
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> fetcher.fetch(SourceFixture.sources(FILE), changing, () -> false))
        .satisfies(e -> assertThat(e.code()).isEqualTo(Code.CHECKSUM))
        .withMessageContaining("changed while it was fetched");
    assertThat(fixture.fetch(FILE).path()).hasBinaryContent(other);
  }

  @Test
  void whatWasFetchedOnceAsksNobody() {
    fixture.fetch(FOLDER);
    int asked = store.seen.size();
    assertThat(fixture().fetch(FOLDER).path()).exists();
    assertThat(store.seen).hasSize(asked);
  }

  @Test
  void manyFetchersDownloadOnce() throws Exception {
    store.pauseMillis = 2;
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Callable<Path>> fetches =
          IntStream.range(0, 8)
              .<Callable<Path>>mapToObj(_ -> () -> fixture().fetch(FOLDER).path())
              .toList();
      for (Future<Path> fetch : threads.invokeAll(fetches)) {
        assertThat(fetch.get().resolve("model.safetensors")).hasBinaryContent(WEIGHTS);
      }
    }
    assertThat(store.contents().stream().filter(seen -> seen.key().endsWith(".safetensors")))
        .hasSize(1);
  }

  @Test
  void aSha256IsForASingleFile() throws IOException {
    String hash = Hashes.hex(Hashes.digest(Hashes.SHA_256, 0).digest(WEIGHTS));
    assertThat(fixture.fetch(() -> false, List.of(new ModelSource(FILE, hash))).path())
        .hasBinaryContent(WEIGHTS);
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(
            () -> fixture.fetch(() -> false, List.of(new ModelSource(FILE, "0".repeat(64)))))
        .satisfies(e -> assertThat(e.code()).isEqualTo(Code.CHECKSUM));
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> fixture.fetch(() -> false, List.of(new ModelSource(FOLDER, hash))))
        .satisfies(e -> assertThat(e.code()).isEqualTo(Code.UNUSABLE));
    try (var parts = Files.walk(fixture.settings().cache())) {
      assertThat(parts).noneMatch(path -> path.toString().endsWith(".incomplete"));
    }
  }

  /// Where buckets are asked for, by the variables.
  @ParameterizedTest
  @CsvSource({
    "'', eu-west-1, false, my-bucket, https://my-bucket.s3.eu-west-1.amazonaws.com",
    "'', cn-north-1, false, my-bucket, https://my-bucket.s3.cn-north-1.amazonaws.com.cn",
    "'', eu-west-1, false, my.bucket, https://s3.eu-west-1.amazonaws.com/my.bucket",
    "http://minio:9000/, eu-west-1, false, my-bucket, http://minio:9000/my-bucket",
    "https://store.example.org, x, true, my-bucket, https://my-bucket.store.example.org",
  })
  void bucketsHaveAddresses(
      String endpoint, String region, String virtual, String bucket, URI expected) {
    Map<String, String> environment =
        endpoint.isEmpty()
            ? Map.of("AWS_DEFAULT_REGION", region)
            : Map.of("AWS_ENDPOINT_URL", endpoint, "S3_USE_VIRTUAL_BUCKET", virtual);
    assertThat(S3Settings.of(environment).bucket(bucket)).isEqualTo(expected);
  }

  @Test
  void anEndpointInClearIsNotTheInternets() {
    fixture.environment.put("AWS_ENDPOINT_URL_S3", "http://1.1.1.1");
    assertFails(Code.REFUSED, FOLDER, "use https:");
    fixture.environment.put("AWS_ENDPOINT_URL_S3", "https://key:" + SECRET + "@1.1.1.1");
    assertFails(Code.UNUSABLE, FOLDER, "AWS_ENDPOINT_URL is not of the form");
  }
}
