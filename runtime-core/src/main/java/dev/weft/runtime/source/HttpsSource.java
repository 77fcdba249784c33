package dev.weft.runtime.source;

import dev.weft.functions.ModelSource;
import dev.weft.functions.instance.Tier;
import dev.weft.runtime.source.Download.Means;
import dev.weft.runtime.source.Download.Protocol;
import dev.weft.runtime.source.Download.Wanted;
import dev.weft.runtime.source.SourceException.Code;
import dev.weft.runtime.source.Web.Answer;
import dev.weft.runtime.source.Web.Credential;
import dev.weft.runtime.source.Web.Rules;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;

/// `https://host/path/model.gguf`: a single file from any web server. Redirects are not followed
/// and private addresses are refused, since the address is a tenant's word (see [Addresses]).
final class HttpsSource implements Source {
  private final Path directory;
  private final Means means;
  private final Rules rules;
  private final long maxFileBytes;

  HttpsSource(SourceSettings settings, Means means) {
    this.directory = settings.cache().resolve("https");
    this.means = means;
    this.rules = new Rules(0, settings.reach(), Credential.NONE);
    this.maxFileBytes = settings.maxFileBytes();
  }

  /// Asks for the file and reads none of it: not every server answers a HEAD.
  @Override
  public Inspection inspect(ModelSource source) {
    Transfer transfer = new Transfer(source, FetchListener.NONE, () -> false);
    URI address = address(source);
    try (Answer answer = means.web().get(address, Map.of(), rules, transfer)) {
      if (answer.status() != 200) {
        throw Web.failure(answer.status(), fileName(address));
      }
      OptionalLong bytes = answer.last().headers().firstValueAsLong("content-length");
      return new Inspection(source, Tier.REMOTE, bytes);
    }
  }

  @Override
  public Path lock(ModelSource source) {
    return directory.resolve(Receipts.key(source) + ".lock");
  }

  @Override
  public Fetched fetch(ModelSource source, Transfer transfer) {
    URI address = address(source);
    Path target = directory.resolve(Receipts.key(source)).resolve(fileName(address));
    Wanted wanted =
        new Wanted(
            address,
            rules,
            target,
            fileName(address),
            OptionalLong.empty(),
            maxFileBytes,
            Hashes.SHA_256,
            source.sha256(),
            false,
            Protocol.PLAIN);
    String hash = Download.run(means, wanted, transfer);
    return new Fetched(target, List.of(new FetchedFile("", Hashes.SHA_256, hash)));
  }

  private URI address(ModelSource source) {
    URI address;
    try {
      address = new URI(source.uri());
    } catch (URISyntaxException e) {
      throw new SourceException(Code.UNUSABLE, "not an address: " + e.getReason(), e);
    }
    if (address.getRawUserInfo() != null) {
      throw new SourceException(
          Code.UNUSABLE, "an address with a password in it; a manifest is no place for secrets");
    }
    String name = fileName(address).toLowerCase(Locale.ROOT);
    if (!name.endsWith(".gguf")) {
      throw new SourceException(
          Code.UNUSABLE,
          "a web address must be that of a .gguf file, which holds a whole model in one file");
    }
    return address;
  }

  private static String fileName(URI address) {
    String path = String.valueOf(address.getPath());
    return path.substring(path.lastIndexOf('/') + 1);
  }
}
