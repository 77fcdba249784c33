package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.source.Download.Means;
import dev.weft.runtime.source.Download.Protocol;
import dev.weft.runtime.source.Download.Wanted;
import dev.weft.runtime.source.ModelSelection.Choice;
import dev.weft.runtime.source.Web.Answer;
import dev.weft.runtime.source.Web.Rules;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/// `s3://bucket/file` or `s3://bucket/folder`: objects of any store that speaks S3's protocol. Of a
/// folder the files that make up a model are taken, as of a hub's repository ([ModelSelection]).
///
/// A store tells no hash that would hold for all objects, but an `ETag` that changes with them. So
/// files lie in a directory that is named by the tags of all of them, and each is asked for on
/// condition of its own (`If-Match`): what an interrupted download left is never of other objects.
final class S3Source implements Source {
  private final Path directory;
  private final Map<String, String> environment;
  private final Means means;
  private final SourceSettings settings;

  S3Source(SourceSettings settings, Means means) {
    this.directory = settings.cache().resolve("s3");
    this.environment = settings.environment();
    this.means = means;
    this.settings = settings;
  }

  @Override
  public Inspection inspect(ModelSource source) {
    Transfer transfer = new Transfer(source, FetchListener.NONE, () -> false);
    Choice choice = choice(S3Address.of(source), client(), transfer);
    return new Inspection(source, Tier.REMOTE, OptionalLong.of(choice.bytes()));
  }

  @Override
  public Path lock(ModelSource source) {
    return directory.resolve(Receipts.key(source) + ".lock");
  }

  @Override
  public Fetched fetch(ModelSource source, Transfer transfer) {
    S3Address address = S3Address.of(source);
    S3Client client = client();
    Choice choice = choice(address, client, transfer);
    choice.note().ifPresent(transfer::note);
    String sha256 = source.sha256();
    if (sha256 != null) {
      choice.only("name a .gguf file");
    }
    transfer.expect(choice.bytes());
    Path root = directory.resolve(Receipts.key(source)).resolve(version(choice));
    List<FetchedFile> files = new ArrayList<>();
    for (ListedFile file : choice.files()) {
      String hash = ensure(address, client, root, file, sha256, transfer);
      files.add(new FetchedFile(choice.below(file), Hashes.SHA_256, hash));
    }
    return new Fetched(root.resolve(choice.path()), files);
  }

  private static Choice choice(S3Address address, S3Client client, Transfer transfer) {
    List<ListedFile> files =
        address.isFile()
            ? List.of(client.object(address, transfer))
            : client.list(address, transfer);
    return ModelSelection.choose(files, address.inside());
  }

  /// A name for these objects as they are now.
  private static String version(Choice choice) {
    StringBuilder text = new StringBuilder();
    choice
        .files()
        .forEach(
            file -> text.append(file.path()).append('\n').append(file.hash()).append(file.bytes()));
    return Hashes.sha256(text.toString()).substring(0, 16);
  }

  private String ensure(
      S3Address address,
      S3Client client,
      Path root,
      ListedFile file,
      @Nullable String sha256,
      Transfer transfer) {
    Path target = root.resolve(file.path());
    if (isWhole(target, file)) {
      String hash = Hashes.of(target, Hashes.SHA_256, transfer);
      if (sha256 == null || sha256.equals(hash)) {
        transfer.advance(file.bytes());
        return hash;
      }
    }
    Rules rules = client.rules();
    Wanted wanted =
        new Wanted(
            client.content(address, file.path()),
            rules,
            target,
            file.name(),
            OptionalLong.of(file.bytes()),
            settings.maxFileBytes(),
            Hashes.SHA_256,
            sha256,
            true,
            new ObjectProtocol(client, new S3Address(address.bucket(), file.path()), file));
    return Download.run(means, wanted, transfer);
  }

  private static boolean isWhole(Path target, ListedFile file) {
    try {
      return Files.isRegularFile(target) && Files.size(target) == file.bytes();
    } catch (IOException e) {
      return false;
    }
  }

  private record ObjectProtocol(S3Client client, S3Address address, ListedFile file)
      implements Protocol {
    @Override
    public Map<String, String> headers() {
      return file.hash().isEmpty() ? Map.of() : Map.of("if-match", file.hash());
    }

    @Override
    public SourceException failure(Answer answer, String label) {
      return client.failure(answer, address);
    }
  }

  /// The variables are read when a source needs them: one that is wrong harms no others.
  private S3Client client() {
    return new S3Client(S3Settings.of(environment), means.web(), settings.connectTimeout());
  }
}
