package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.source.Download.Means;
import dev.weft.runtime.source.Download.Protocol;
import dev.weft.runtime.source.Download.Wanted;
import dev.weft.runtime.source.ModelSelection.Choice;
import dev.weft.runtime.source.SourceException.Code;
import java.net.http.HttpHeaders;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/// `hf://org/name[@revision][/path]`: a model of a Hugging Face hub, kept in the cache that the
/// hub's other tools use, so that a model downloaded by one of them is not downloaded again.
///
/// The revision becomes a commit first, and everything after that is of the commit. Safetensors
/// with their configuration are preferred; else one GGUF file ([ModelSelection]). A hub that cannot
/// be reached is no obstacle to a model that lies in the cache whole.
final class HubSource implements Source {
  private final HubSettings settings;
  private final HubClient client;
  private final Means means;
  private final long maxFileBytes;

  HubSource(SourceSettings settings, Means means) {
    this.settings = HubSettings.of(settings.environment());
    this.client = new HubClient(this.settings, means.web(), settings.connectTimeout());
    this.means = means;
    this.maxFileBytes = settings.maxFileBytes();
  }

  /// What to have, and of which commit.
  private record Plan(String commit, Choice choice) {}

  @Override
  public Inspection inspect(ModelSource source) {
    HubAddress address = HubAddress.of(source);
    HubCache cache = cache(address);
    Plan plan = plan(address, cache, new Transfer(source, FetchListener.NONE, () -> false));
    boolean here = plan.choice().files().stream().allMatch(file -> cache.blobs().isWhole(file));
    return new Inspection(
        source, here ? Tier.DISK : Tier.REMOTE, OptionalLong.of(plan.choice().bytes()));
  }

  @Override
  public Path lock(ModelSource source) {
    return cache(HubAddress.of(source)).lock();
  }

  @Override
  public Fetched fetch(ModelSource source, Transfer transfer) {
    HubAddress address = HubAddress.of(source);
    HubCache cache = cache(address);
    Plan plan = plan(address, cache, transfer);
    Choice choice = plan.choice();
    choice.note().ifPresent(transfer::note);
    checkSha256(choice, source.sha256());
    transfer.expect(choice.bytes());
    List<FetchedFile> files = new ArrayList<>();
    for (ListedFile file : choice.files()) {
      ensure(address, cache, plan.commit(), file, transfer);
      cache.blobs().link(plan.commit(), file);
      files.add(new FetchedFile(choice.below(file), file.algorithm(), file.hash()));
    }
    cache.remember(address.revision(), plan.commit());
    return new Fetched(cache.blobs().snapshot(plan.commit()).resolve(choice.path()), files);
  }

  /// Asks the hub; when it cannot be reached, or must not be asked, what is in the cache will do.
  private Plan plan(HubAddress address, HubCache cache, Transfer transfer) {
    if (settings.offline()) {
      return cachedPlan(address, cache)
          .orElseThrow(() ->
              new SourceException(
                  Code.UNREACHABLE, "HF_HUB_OFFLINE is set, and the model is not in the cache"));
    }
    try {
      String commit =
          HubAddress.isCommit(address.revision())
              ? address.revision()
              : client.commit(address, transfer);
      return new Plan(
          commit, ModelSelection.choose(client.files(address, commit, transfer), address.inside()));
    } catch (SourceException e) {
      Optional<Plan> cached =
          e.code() == Code.UNREACHABLE ? cachedPlan(address, cache) : Optional.empty();
      cached.ifPresent(plan ->
          transfer.note(
              "%s; using commit %s from the cache"
                  .formatted(e.getMessage(), plan.commit().substring(0, 8))));
      return cached.orElseThrow(() -> e);
    }
  }

  /// A model that lies whole in the cache, whoever put it there.
  private static Optional<Plan> cachedPlan(HubAddress address, HubCache cache) {
    Optional<String> commit = cache.commit(address.revision());
    List<ListedFile> files = commit.map(cache::files).orElse(List.of());
    if (files.isEmpty()) {
      return Optional.empty();
    }
    Choice choice;
    try {
      choice = ModelSelection.choose(files, address.inside());
    } catch (SourceException e) {
      return Optional.empty(); // another tool fetched only a part of it
    }
    boolean configured =
        choice.path().endsWith(".gguf")
            || choice.files().stream()
                .anyMatch(file ->
                    file.name().equals("config.json") || file.name().equals("adapter_config.json"));
    return configured ? Optional.of(new Plan(commit.orElseThrow(), choice)) : Optional.empty();
  }

  private void ensure(
      HubAddress address, HubCache cache, String commit, ListedFile file, Transfer transfer) {
    if (cache.blobs().has(file, transfer)) {
      return;
    }
    Wanted wanted =
        new Wanted(
            client.content(address, commit, file),
            client.rules(),
            cache.blobs().of(file),
            file.name(),
            OptionalLong.of(file.bytes()),
            maxFileBytes,
            file.algorithm(),
            file.hash(),
            true,
            new Protocol() {
              @Override
              public void check(HttpHeaders first) {
                checkTag(first, file);
              }
            });
    Download.run(means, wanted, transfer);
  }

  /// The hub names a large file's hash before it redirects to the bytes: a difference shows before
  /// anything is transferred.
  private static void checkTag(HttpHeaders headers, ListedFile file) {
    String tag = headers.firstValue("x-linked-etag").orElse(file.hash());
    String hash = tag.replaceFirst("^W/", "").replace("\"", "");
    if (!hash.equals(file.hash())) {
      throw new SourceException(
          Code.CHECKSUM,
          "%s changed on the hub: it was listed as %s and is sent as %s"
              .formatted(file.name(), file.hash(), hash));
    }
  }

  private static void checkSha256(Choice choice, @Nullable String sha256) {
    if (sha256 == null) {
      return;
    }
    String advice = "name a .gguf file, or pin the repository to a commit: @<commit>";
    ListedFile file = choice.only(advice);
    if (!file.algorithm().equals(Hashes.SHA_256)) {
      throw new SourceException(Code.UNUSABLE, "sha256 is for a large file; " + advice);
    }
    if (!file.hash().equals(sha256)) {
      throw new SourceException(
          Code.CHECKSUM,
          "the hub's %s hashes to %s, and the manifest says %s"
              .formatted(file.name(), file.hash(), sha256));
    }
  }

  private HubCache cache(HubAddress address) {
    return new HubCache(settings.cache(), address.repository());
  }
}
