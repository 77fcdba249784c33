package dev.weft.platform.e2e.cluster;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;

/// Asks the cluster's name server, at the address that pods have, for the address of a name.
final class NameServer {
  private static final InetSocketAddress ADDRESS = new InetSocketAddress("198.19.0.10", 53);
  private static final Duration LIMIT = Duration.ofSeconds(5);
  private static final int QUESTION = 0x0100;
  private static final int INTERNET_ADDRESS = 1;
  private static final int CODE_AT = 3;
  private static final int ANSWERS_AT = 7;
  private static final int ADDRESS_BYTES = 4;

  private NameServer() {}

  /// The address of a name that has one; nothing where there is no such name.
  static Optional<String> resolve(String name) {
    try (var socket = new DatagramSocket()) {
      socket.setSoTimeout((int) LIMIT.toMillis());
      byte[] question = question(name);
      socket.send(new DatagramPacket(question, question.length, ADDRESS));
      var answer = new DatagramPacket(new byte[512], 512);
      socket.receive(answer);
      byte[] bytes = Arrays.copyOf(answer.getData(), answer.getLength());
      if ((bytes[CODE_AT] & 0xf) != 0 || bytes[ANSWERS_AT] != 1) {
        return Optional.empty();
      }
      // The address is the last of the one answer.
      byte[] address = Arrays.copyOfRange(bytes, bytes.length - ADDRESS_BYTES, bytes.length);
      return Optional.of(InetAddress.getByAddress(address).getHostAddress());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] question(String name) throws IOException {
    var bytes = new ByteArrayOutputStream();
    var out = new DataOutputStream(bytes);
    for (int word : new int[] {1, QUESTION, 1, 0, 0, 0}) {
      out.writeShort(word);
    }
    for (String label : name.split("\\.", -1)) {
      out.writeByte(label.length());
      out.write(label.getBytes(StandardCharsets.US_ASCII));
    }
    out.writeByte(0);
    out.writeShort(INTERNET_ADDRESS);
    out.writeShort(INTERNET_ADDRESS);
    return bytes.toByteArray();
  }
}
