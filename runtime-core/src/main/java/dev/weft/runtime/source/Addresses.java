package dev.weft.runtime.source;

import dev.weft.runtime.source.SourceException.Code;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// Which hosts a source address may lead to. A manifest is written by a tenant, and this machine
/// may reach places that the tenant may not: its own loopback, the network behind it, a cloud's
/// metadata service. So only public addresses over https, unless the machine's owner allows more.
///
/// A name is resolved here once more before the connection resolves it. A name server that answers
/// differently the second time gains nothing: the JVM keeps the first answer, and over https the
/// host behind the address would have to hold the name's certificate.
final class Addresses {
  private Addresses() {}

  /// How far requests may go.
  enum Reach {
    /// Public hosts, encrypted.
    PUBLIC,
    /// Private networks too; this machine also in clear.
    PRIVATE,
    /// Private networks too, also in clear.
    PRIVATE_CLEAR
  }

  /// Throws `UNREACHABLE` for a name that does not resolve in time, `REFUSED` for what is not
  /// allowed.
  static void check(URI address, Reach reach, Duration timeout) {
    String scheme = String.valueOf(address.getScheme()).toLowerCase(Locale.ROOT);
    String host = address.getHost();
    if (host == null) {
      throw new SourceException(Code.UNUSABLE, "the address names no host");
    }
    InetAddress[] resolved = resolve(host, timeout);
    boolean loopbackOnly = true;
    boolean privateOnly = true;
    for (InetAddress one : resolved) {
      if (reach == Reach.PUBLIC && isPrivate(one)) {
        throw new SourceException(
            Code.REFUSED,
            host
                + " is on this machine or a private network (WEFT_ALLOW_PRIVATE_ADDRESSES=true allows"
                + " it)");
      }
      loopbackOnly &= one.isLoopbackAddress();
      privateOnly &= isPrivate(one);
    }
    boolean clear =
        switch (reach) {
          case PUBLIC -> false;
          case PRIVATE -> loopbackOnly;
          case PRIVATE_CLEAR -> privateOnly;
        };
    if (!scheme.equals("https") && !(scheme.equals("http") && clear)) {
      throw new SourceException(Code.REFUSED, "%s: is not encrypted; use https:".formatted(scheme));
    }
  }

  static boolean isLoopback(URI address, Duration timeout) {
    String host = address.getHost();
    if (host == null) {
      return false;
    }
    for (InetAddress one : resolve(host, timeout)) {
      if (!one.isLoopbackAddress()) {
        return false;
      }
    }
    return true;
  }

  static boolean isPrivate(URI address, Duration timeout) {
    for (InetAddress one : resolve(String.valueOf(address.getHost()), timeout)) {
      if (isPrivate(one)) {
        return true;
      }
    }
    return false;
  }

  /// Not a public unicast address (IANA special-purpose registries).
  static boolean isPrivate(InetAddress address) {
    if (address.isLoopbackAddress()
        || address.isAnyLocalAddress()
        || address.isLinkLocalAddress()
        || address.isSiteLocalAddress()
        || address.isMulticastAddress()) {
      return true;
    }
    byte[] bytes = address.getAddress();
    int first = bytes[0] & 0xff;
    int second = bytes[1] & 0xff;
    if (address instanceof Inet4Address) {
      return first == 0
          || first >= 240
          || (first == 100 && second >= 64 && second < 128) // carrier-grade NAT
          || (first == 192 && second == 0 && bytes[2] == 0)
          || (first == 198 && (second == 18 || second == 19)); // benchmarks
    }
    boolean uniqueLocal = (first & 0xfe) == 0xfc;
    boolean translated = first == 0 && second == 0x64; // 64:ff9b::/96 leads to any IPv4 address
    boolean sixToFour = first == 0x20 && second == 0x02;
    boolean compatible = first == 0 && second == 0; // ::a.b.c.d
    return uniqueLocal || translated || sixToFour || compatible;
  }

  private static InetAddress[] resolve(String host, Duration timeout) {
    CompletableFuture<InetAddress[]> answer = new CompletableFuture<>();
    Thread.ofVirtual()
        .start(() -> {
          try {
            answer.complete(InetAddress.getAllByName(host));
          } catch (UnknownHostException e) {
            answer.completeExceptionally(e);
          }
        });
    try {
      return answer.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw new SourceException(Code.UNREACHABLE, "the host %s is not known".formatted(host), e);
    } catch (TimeoutException e) {
      throw new SourceException(
          Code.UNREACHABLE, "no name server answers for the host %s".formatted(host), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SourceException(Code.CANCELLED, "cancelled", e);
    }
  }
}
