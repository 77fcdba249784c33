package dev.weft.runtime.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.weft.runtime.backend.KvElement;
import dev.weft.runtime.backend.KvFormat;
import dev.weft.runtime.backend.KvFormat.Half;
import dev.weft.runtime.backend.KvFormat.Place;
import dev.weft.runtime.transfer.KvTransferException.Reason;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What is written out of blocks of one size and order is read into those of another, and whatever
/// happens on the way is noticed.
class KvStreamTest {
  private static final String MODEL = "0123456789abcdef".repeat(4);
  private static final int LAYERS = 3;
  private static final int HEADS = 2;
  private static final int HEAD_SIZE = 5;
  private static final int[] TOKENS = IntStream.range(100, 123).toArray();

  /// `[layer][head][scales][keys: element, token][values: token, padded]`.
  private static KvFormat byHeads(KvElement element, int blockTokens) {
    long each = element.bytes();
    long scales = (long) element.scaleBytes() * blockTokens;
    long keys = each * HEAD_SIZE * blockTokens;
    long padded = 8 * each;
    long head = 2 * scales + keys + padded * blockTokens;
    return format(
        element,
        new Half(
            new Place(2 * scales, HEADS * head, head, each, each * blockTokens),
            new Place(0, HEADS * head, head, element.scaleBytes(), 0)),
        new Half(
            new Place(2 * scales + keys, HEADS * head, head, padded, each),
            new Place(scales, HEADS * head, head, element.scaleBytes(), 0)));
  }

  /// `[token][layer][keys, values][head][element, scale]`.
  private static KvFormat byTokens(KvElement element) {
    long each = element.bytes();
    long head = each * HEAD_SIZE + element.scaleBytes();
    long half = HEADS * head;
    long token = LAYERS * 2 * half;
    long scale = each * HEAD_SIZE;
    return format(
        element,
        new Half(
            new Place(0, 2 * half, head, token, each), new Place(scale, 2 * half, head, token, 0)),
        new Half(
            new Place(half, 2 * half, head, token, each),
            new Place(half + scale, 2 * half, head, token, 0)));
  }

  private static KvFormat format(KvElement element, Half keys, Half values) {
    return new KvFormat(element, LAYERS, HEADS, HEAD_SIZE, keys, values);
  }

  /// Blocks of random bytes, each with room for what any of the formats pads.
  private static MemorySegment[] blocks(int count, int blockTokens, long seed) {
    var random = new Random(seed);
    MemorySegment[] blocks = new MemorySegment[count];
    for (int i = 0; i < count; i++) {
      byte[] bytes = new byte[blockTokens * LAYERS * HEADS * 2 * 8 * Float.BYTES];
      random.nextBytes(bytes);
      blocks[i] = MemorySegment.ofArray(bytes);
    }
    return blocks;
  }

  private static byte[] write(KvFormat format, int blockTokens, MemorySegment[] blocks, int first)
      throws IOException {
    var out = new ByteArrayOutputStream();
    var writer = new KvWriter(out, format, KvHeader.of(MODEL, format, first, TOKENS));
    while (writer.next() < TOKENS.length) {
      writer.write(blocks[writer.next() / blockTokens], writer.next() % blockTokens);
    }
    return out.toByteArray();
  }

  private static KvReader reader(byte[] bytes, KvFormat format) throws IOException {
    return new KvReader(new ByteArrayInputStream(bytes), format, MODEL);
  }

  private static byte[] token(KvFormat format, MemorySegment block, int index) {
    byte[] token = new byte[(int) format.tokenBytes()];
    format.take(block, index, MemorySegment.ofArray(token));
    return token;
  }

  @ParameterizedTest
  @EnumSource(KvElement.class)
  void blocksOfOneSizeAndOrderBecomeBlocksOfAnother(KvElement element) throws IOException {
    KvFormat from = byHeads(element, 7);
    KvFormat to = byTokens(element);
    MemorySegment[] source = blocks(4, 7, 1);
    MemorySegment[] target = blocks(6, 4, 2);

    KvReader reader = reader(write(from, 7, source, 0), to);
    assertThat(reader.matching(TOKENS)).isEqualTo(TOKENS.length);
    while (reader.next() < TOKENS.length) {
      reader.read(target[reader.next() / 4], reader.next() % 4);
    }

    for (int i = 0; i < TOKENS.length; i++) {
      assertThat(token(to, target[i / 4], i % 4)).isEqualTo(token(from, source[i / 7], i % 7));
    }
    assertThat(token(from, source[0], 0))
        .hasSize(2 * LAYERS * HEADS * (HEAD_SIZE * element.bytes() + element.scaleBytes()))
        .isNotEqualTo(token(from, source[0], 1));
  }

  /// What a format says of places is what it reads: element by element, against the formula.
  @Test
  void everyElementIsWhereItsFormatSays() {
    KvFormat format = byHeads(KvElement.INT8, 7);
    MemorySegment block = blocks(1, 7, 3)[0];
    byte[] token = token(format, block, 4);
    int at = 0;
    long head = 4 * 7 + 5 * 7 + 8 * 7;
    for (int layer = 0; layer < LAYERS; layer++) {
      for (int half = 0; half < 2; half++) {
        for (int i = 0; i < HEADS; i++) {
          long base = (layer * HEADS + i) * head;
          for (int b = 0; b < 2; b++) {
            assertThat(token[at++])
                .isEqualTo(block.get(ValueLayout.JAVA_BYTE, base + half * 14L + 4 * 2 + b));
          }
          for (int d = 0; d < HEAD_SIZE; d++) {
            long place = half == 0 ? 28 + d * 7 + 4 : 28 + 35 + 4 * 8 + d;
            assertThat(token[at++]).isEqualTo(block.get(ValueLayout.JAVA_BYTE, base + place));
          }
        }
      }
    }
    assertThat(at).isEqualTo(token.length);
  }

  @Test
  void aReaderBeginsWhereItWantsAndStopsWhereTextsPart() throws IOException {
    KvFormat format = byTokens(KvElement.F16);
    MemorySegment[] source = blocks(6, 4, 4);
    KvReader reader = reader(write(format, 4, source, 9), format);
    assertThat(reader.next()).isEqualTo(9);
    MemorySegment target = blocks(1, 4, 5)[0];
    reader.read(target, 2);
    assertThat(token(format, target, 2)).isEqualTo(token(format, source[2], 1));
    assertThat(reader.next()).isEqualTo(10);

    int[] other = TOKENS.clone();
    other[17] = 7;
    assertThat(reader.matching(other)).isEqualTo(17);
    assertThat(reader.matching(Arrays.copyOf(TOKENS, 12))).isEqualTo(12);
    assertThat(reader.matching(Arrays.copyOf(TOKENS, 30))).isEqualTo(TOKENS.length);
  }

  private static Reason reasonOf(byte[] bytes, KvFormat format, String model) {
    return catchThrowableOfType(
            KvTransferException.class,
            () -> {
              var reader = new KvReader(new ByteArrayInputStream(bytes), format, model);
              MemorySegment block = blocks(1, 1, 6)[0];
              while (reader.next() < TOKENS.length) {
                reader.read(block, 0);
              }
            })
        .reason();
  }

  @Test
  void whatIsOfAnotherModelOrShapeIsRefused() throws IOException {
    KvFormat format = byTokens(KvElement.F16);
    byte[] bytes = write(format, 4, blocks(6, 4, 7), 0);
    assertThat(reasonOf(bytes, format, "f".repeat(64))).isEqualTo(Reason.MODEL);
    assertThat(reasonOf(bytes, byTokens(KvElement.INT8), MODEL)).isEqualTo(Reason.SHAPE);
    assertThat(reasonOf(bytes, byTokens(KvElement.F32), MODEL)).isEqualTo(Reason.SHAPE);
    for (KvFormat other :
        new KvFormat[] {
          new KvFormat(KvElement.F16, 4, HEADS, HEAD_SIZE, format.keys(), format.values()),
          new KvFormat(KvElement.F16, LAYERS, 1, HEAD_SIZE, format.keys(), format.values()),
          new KvFormat(KvElement.F16, LAYERS, HEADS, 4, format.keys(), format.values())
        }) {
      assertThat(reasonOf(bytes, other, MODEL)).isEqualTo(Reason.SHAPE);
    }
    byte[] newer = bytes.clone();
    newer[6] = 2;
    assertThat(reasonOf(newer, format, MODEL)).isEqualTo(Reason.FORMAT);
    assertThat(
            reasonOf(
                "{\"error\":{\"message\":\"no\"}}".getBytes(StandardCharsets.UTF_8), format, MODEL))
        .isEqualTo(Reason.FORMAT);
  }

  @Test
  void aHeaderWhoseLengthIsNotItsTokensIsRefusedBeforeMemoryIsTaken() throws IOException {
    KvFormat format = byTokens(KvElement.F16);
    byte[] bytes = write(format, 4, blocks(6, 4, 8), 0);
    for (int length : new int[] {-1, 0, 59, Integer.MAX_VALUE}) {
      byte[] wrong = bytes.clone();
      MemorySegment.ofArray(wrong)
          .set(
              ValueLayout.JAVA_INT_UNALIGNED.withOrder(java.nio.ByteOrder.LITTLE_ENDIAN),
              8,
              length);
      assertThat(reasonOf(wrong, format, MODEL)).as("%d", length).isEqualTo(Reason.FORMAT);
    }
  }

  @Property(tries = 300)
  void whereverItIsCutTheReaderSaysSo(@ForAll @IntRange(max = 100_000) int where)
      throws IOException {
    KvFormat format = byTokens(KvElement.INT8);
    byte[] bytes = write(format, 4, blocks(6, 4, 9), 3);
    byte[] cut = Arrays.copyOf(bytes, where % bytes.length);
    assertThat(reasonOf(cut, format, MODEL)).isEqualTo(Reason.TRUNCATED);
  }

  @Property(tries = 300)
  void noBitIsLostUnnoticed(@ForAll @IntRange(max = 1_000_000) int where) throws IOException {
    KvFormat format = byTokens(KvElement.INT8);
    byte[] bytes = write(format, 4, blocks(6, 4, 10), 3);
    byte[] flipped = bytes.clone();
    flipped[where / 8 % bytes.length] ^= (byte) (1 << where % 8);
    assertThat(reasonOf(flipped, format, MODEL))
        .isIn(Reason.FORMAT, Reason.CORRUPT, Reason.TRUNCATED);
  }

  @Test
  void whatWasReadBeforeItBrokeStays() throws IOException {
    KvFormat format = byTokens(KvElement.F16);
    MemorySegment[] source = blocks(6, 4, 11);
    byte[] bytes = write(format, 4, source, 0);
    KvReader reader = reader(Arrays.copyOf(bytes, bytes.length - 1), format);
    MemorySegment[] target = blocks(6, 4, 12);
    assertThatThrownBy(
            () -> {
              while (true) {
                reader.read(target[reader.next() / 4], reader.next() % 4);
              }
            })
        .isInstanceOf(KvTransferException.class);
    assertThat(reader.next()).isEqualTo(TOKENS.length - 1);
    for (int i = 0; i < reader.next(); i++) {
      assertThat(token(format, target[i / 4], i % 4))
          .isEqualTo(token(format, source[i / 4], i % 4));
    }
  }
}
