package dev.weft.runtime.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.weft.runtime.source.Addresses.Reach;
import dev.weft.runtime.source.SourceException.Code;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What a tenant's address may not lead to.
class AddressesTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(3);

  @ParameterizedTest
  @ValueSource(
      strings = {
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.127.255.255",
        "192.0.0.8",
        "198.18.0.1",
        "198.19.255.255",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd12:3456::1",
        "fec0::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "::127.0.0.1"
      })
  void privateAddressesAreKnown(String address) throws IOException {
    assertThat(Addresses.isPrivate(InetAddress.getByName(address))).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.0.1",
        "198.20.0.1",
        "2606:4700::1111"
      })
  void publicAddressesAreNotTakenForPrivate(String address) throws IOException {
    assertThat(Addresses.isPrivate(InetAddress.getByName(address))).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "https://127.0.0.1/m.gguf", "https://localhost:8443/m.gguf", "https://[::1]/m.gguf",
        "https://169.254.169.254/m.gguf", "https://10.0.0.7/m.gguf", "https://2130706433/m.gguf",
        "https://0x7f000001/m.gguf", "https://[::ffff:127.0.0.1]/m.gguf"
      })
  void anHttpsSourceLeadsToNoPrivateAddress(String address, @TempDir Path home) {
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> new SourceFixture(home).fetch(address))
        .satisfies(e -> assertThat(e.code()).isIn(Code.REFUSED, Code.UNUSABLE, Code.UNREACHABLE));
  }

  @Test
  void theOwnerOfTheMachineMayAllowThem() {
    URI address = URI.create("https://127.0.0.1/m.gguf");
    assertThatCode(() -> Addresses.check(address, Reach.PRIVATE, TIMEOUT))
        .doesNotThrowAnyException();
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> Addresses.check(address, Reach.PUBLIC, TIMEOUT))
        .withMessageContaining("WEFT_ALLOW_PRIVATE_ADDRESSES");
  }

  @Test
  void whatIsNotEncryptedStaysOnThisMachineOrWhereTheOwnerSaysSo() {
    URI near = URI.create("http://10.0.0.1/m.gguf");
    URI far = URI.create("http://1.1.1.1/m.gguf");
    for (Reach reach : Reach.values()) {
      assertThatExceptionOfType(SourceException.class)
          .isThrownBy(() -> Addresses.check(far, reach, TIMEOUT))
          .withMessageContaining("use https:");
    }
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> Addresses.check(near, Reach.PRIVATE, TIMEOUT))
        .withMessageContaining("use https:");
    assertThatCode(() -> Addresses.check(near, Reach.PRIVATE_CLEAR, TIMEOUT))
        .doesNotThrowAnyException();
  }

  @Test
  void aPasswordInAnAddressIsRefusedAndNotRepeated(@TempDir Path home) {
    assertThatExceptionOfType(SourceException.class)
        .isThrownBy(() -> new SourceFixture(home).fetch("https://user:geheim@1.1.1.1/m.gguf"))
        .satisfies(e -> assertThat(e.getMessage()).doesNotContain("geheim"));
  }
}
