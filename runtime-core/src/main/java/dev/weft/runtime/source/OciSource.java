package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.source.Download.Means;
import dev.weft.runtime.source.Download.Protocol;
import dev.weft.runtime.source.Download.Wanted;
import dev.weft.runtime.source.ModelSelection.Choice;
import dev.weft.runtime.source.OciManifest.Archive;
import dev.weft.runtime.source.SourceException.Code;
import dev.weft.runtime.source.Web.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// `oci://registry/repository:tag` or `@sha256:digest`: an artifact of a container registry, or an
/// image with a model in it. Of its files those that make up a model are taken ([ModelSelection]);
/// of an artifact whose layers are files, only they are fetched.
///
/// The tag becomes a digest first, and everything after that is of the digest. Layers are checked
/// by their own, and are kept by it as a hub's files are ([Blobs]).
final class OciSource implements Source {
  private final Path directory;
  private final SourceSettings settings;
  private final Means means;

  OciSource(SourceSettings settings, Means means) {
    this.directory = settings.cache().resolve("oci");
    this.settings = settings;
    this.means = means;
  }

  @Override
  public Inspection inspect(ModelSource source) {
    OciAddress address = OciAddress.of(source);
    Transfer transfer = new Transfer(source, FetchListener.NONE, () -> false);
    OciManifest manifest = new OciClient(address, settings, means.web(), transfer).manifest();
    if (!manifest.archives().isEmpty()) {
      return new Inspection(source, Tier.REMOTE, OptionalLong.of(manifest.bytes()));
    }
    Choice choice = choice(manifest.files());
    Blobs blobs = blobs(address);
    boolean here = choice.files().stream().allMatch(blobs::isWhole);
    return new Inspection(source, here ? Tier.DISK : Tier.REMOTE, OptionalLong.of(choice.bytes()));
  }

  @Override
  public Path lock(ModelSource source) {
    return directory.resolve(OciAddress.of(source).folder() + ".lock");
  }

  @Override
  public Fetched fetch(ModelSource source, Transfer transfer) {
    OciAddress address = OciAddress.of(source);
    OciClient client = new OciClient(address, settings, means.web(), transfer);
    Blobs blobs = blobs(address);
    OciManifest manifest = client.manifest();
    List<ListedFile> listed = new ArrayList<>(manifest.files());
    if (!manifest.archives().isEmpty()) {
      transfer.expect(manifest.bytes());
      listed.addAll(unpack(manifest.archives(), client, blobs, transfer));
    }
    Choice choice = choice(listed);
    choice.note().ifPresent(transfer::note);
    checkSha256(choice, source.sha256());
    if (manifest.archives().isEmpty()) {
      transfer.expect(choice.bytes());
    }
    String id = manifest.digest().substring("sha256:".length());
    List<FetchedFile> files = new ArrayList<>();
    for (ListedFile file : choice.files()) {
      if (manifest.files().contains(file)) {
        ensure(file, client, blobs, transfer);
      }
      blobs.link(id, file);
      files.add(new FetchedFile(choice.below(file), file.algorithm(), file.hash()));
    }
    manifest.archives().forEach(archive -> discard(blobs.of(archive.blob())));
    return new Fetched(blobs.snapshot(id).resolve(choice.path()), files);
  }

  /// The model among the files: where all that may be a model's are in one folder, in that.
  private static Choice choice(List<ListedFile> all) {
    if (all.isEmpty()) {
      throw new SourceException(
          Code.UNUSABLE,
          "no model's file there: a layer is one if it has the annotation"
              + " org.opencontainers.image.title, an image has them under /models");
    }
    List<String> paths =
        all.stream().map(ListedFile::path).filter(ModelFileNames::isWanted).toList();
    String prefix = "";
    for (Optional<String> next = Optional.of(""); next.isPresent(); next = folder(paths, prefix)) {
      prefix = next.get();
    }
    return ModelSelection.choose(
        all, prefix.isEmpty() ? "" : prefix.substring(0, prefix.length() - 1));
  }

  /// The folder below `prefix` that all paths are in.
  private static Optional<String> folder(List<String> paths, String prefix) {
    Set<String> folders =
        paths.stream()
            .map(path -> path.substring(0, path.indexOf('/', prefix.length()) + 1))
            .collect(Collectors.toSet());
    return folders.size() == 1
        ? folders.stream().filter(folder -> !folder.isEmpty()).findFirst()
        : Optional.empty();
  }

  /// The files of all archives; a later one's take the place of an earlier one's.
  private Collection<ListedFile> unpack(
      List<Archive> archives, OciClient client, Blobs blobs, Transfer transfer) {
    Map<String, ListedFile> byPath = new TreeMap<>();
    for (Archive archive : archives) {
      ensure(archive.blob(), client, blobs, transfer);
      Tar.Into into = new Tar.Into(archive.folder(), blobs, settings.maxFileBytes(), means.disk());
      Tar.unpack(blobs.of(archive.blob()), archive.gzip(), into, transfer)
          .forEach(file -> byPath.put(file.path(), file));
    }
    return byPath.values();
  }

  private void ensure(ListedFile layer, OciClient client, Blobs blobs, Transfer transfer) {
    if (blobs.has(layer, transfer)) {
      return;
    }
    Wanted wanted =
        new Wanted(
            client.blob(layer),
            client.rules(),
            blobs.of(layer),
            layer.name(),
            OptionalLong.of(layer.bytes()),
            settings.maxFileBytes(),
            layer.algorithm(),
            layer.hash(),
            true,
            new Protocol() {
              @Override
              public SourceException failure(Answer answer, String label) {
                return client.failure(answer.status());
              }
            });
    Download.run(means, wanted, transfer);
  }

  private static void checkSha256(Choice choice, @Nullable String sha256) {
    if (sha256 == null) {
      return;
    }
    ListedFile file = choice.only("pin the artifact to a digest: @sha256:<digest>");
    if (!file.hash().equals(sha256)) {
      throw new SourceException(
          Code.CHECKSUM,
          "the artifact's %s hashes to %s, and the manifest says %s"
              .formatted(file.name(), file.hash(), sha256));
    }
  }

  /// An archive whose files lie beside it now.
  private static void discard(Path archive) {
    try {
      Files.deleteIfExists(archive);
    } catch (IOException e) {
      throw FileTree.failure("removing a layer", e);
    }
  }

  private Blobs blobs(OciAddress address) {
    return new Blobs(directory.resolve(address.folder()));
  }
}
