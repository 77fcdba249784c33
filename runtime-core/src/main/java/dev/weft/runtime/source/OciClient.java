package dev.weft.runtime.source;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.weft.runtime.source.Addresses.Reach;
import dev.weft.runtime.source.RegistryLogins.Login;
import dev.weft.runtime.source.SourceException.Code;
import dev.weft.runtime.source.Web.Answer;
import dev.weft.runtime.source.Web.Credential;
import dev.weft.runtime.source.Web.Rules;
import java.io.IOException;
import java.net.URI;
import java.util.Map;

/// A registry's HTTP interface (OCI distribution specification), as far as models need it: the
/// manifest that a tag or digest stands for, and where the bytes of its layers are. For one source.
final class OciClient {
  private static final int MAX_REDIRECTS = 5;
  private static final int MAX_MANIFEST_BYTES = 4 << 20;
  private static final String ACCEPTED =
      "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json,"
          + " application/vnd.docker.distribution.manifest.v2+json,"
          + " application/vnd.docker.distribution.manifest.list.v2+json";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final OciAddress address;
  private final Web web;
  private final Transfer transfer;
  private final URI registry;
  private final RegistryAccess access;
  private final Rules rules;

  OciClient(OciAddress address, SourceSettings settings, Web web, Transfer transfer) {
    this.address = address;
    this.web = web;
    this.transfer = transfer;
    Login login = RegistryLogins.of(settings.environment()).of(address.registry());
    URI encrypted = URI.create("https://" + address.host());
    this.registry =
        Addresses.isLoopback(encrypted, settings.connectTimeout())
            ? URI.create("http://" + address.host())
            : encrypted;
    // A registry that the machine's owner has a login for may be on a private network.
    Reach reach = login.known() ? Reach.PRIVATE : settings.reach();
    this.access =
        new RegistryAccess(
            address, login, web, new Rules(MAX_REDIRECTS, reach, Credential.NONE), transfer);
    // Registries send who asks for a layer to an object store, which gets no credential.
    this.rules = new Rules(MAX_REDIRECTS, reach, access);
  }

  Rules rules() {
    return rules;
  }

  URI blob(ListedFile layer) {
    return at("blobs/sha256:" + layer.hash());
  }

  /// The manifest that the address stands for on this kind of machine.
  OciManifest manifest() {
    Read read = read(address.reference());
    if (read.body().path("manifests").isArray()) {
      String digest =
          OciManifest.ofThisMachine(read.body())
              .orElseThrow(() ->
                  new SourceException(
                      Code.NOT_FOUND,
                      "%s has several images and none for linux/amd64".formatted(address.shown())));
      read = read(digest);
    }
    return OciManifest.of(read.digest(), read.body());
  }

  private record Read(String digest, JsonNode body) {}

  private Read read(String reference) {
    try (Answer first = ask(reference)) {
      if (first.status() != 401) {
        return read(first, reference);
      }
      if (!access.learn(first)) {
        throw access.refused();
      }
    }
    try (Answer second = ask(reference)) {
      return read(second, reference);
    }
  }

  private Answer ask(String reference) {
    return web.get(at("manifests/" + reference), Map.of("accept", ACCEPTED), rules, transfer);
  }

  private Read read(Answer answer, String reference) {
    if (answer.status() != 200) {
      throw failure(answer.status());
    }
    try {
      byte[] body = answer.last().body().readNBytes(MAX_MANIFEST_BYTES + 1);
      if (body.length > MAX_MANIFEST_BYTES) {
        throw new SourceException(Code.REFUSED, "the registry's manifest is too long");
      }
      String digest = "sha256:" + Hashes.hex(Hashes.digest(Hashes.SHA_256, 0).digest(body));
      if (reference.startsWith("sha256:") && !reference.equals(digest)) {
        throw new SourceException(
            Code.CHECKSUM,
            "the manifest hashes to %s, and %s was asked for".formatted(digest, reference));
      }
      return new Read(digest, JSON.readTree(body));
    } catch (JsonProcessingException e) {
      throw new SourceException(
          Code.UNUSABLE, "what answers at %s is not a registry".formatted(address.registry()), e);
    } catch (IOException e) {
      throw new SourceException(Code.UNREACHABLE, "the registry's answer ended early", e);
    }
  }

  SourceException failure(int status) {
    return switch (status) {
      case 401, 403 -> access.refused();
      case 404 -> new SourceException(Code.NOT_FOUND, "the registry has no " + address.shown());
      default -> Web.failure(status, address.shown());
    };
  }

  private URI at(String path) {
    return registry.resolve("/v2/%s/%s".formatted(address.repository(), path));
  }
}
