package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.engine.EngineObserver.SwapRefusal;
import dev.weft.runtime.memory.FlakyDisk;
import dev.weft.runtime.memory.FlakyDisk.Operation;
import dev.weft.runtime.memory.SwapSpace;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// What an engine promises of sequences that are put back and come again: whether their keys and
/// values come from the disk or are computed again, no answer changes.
@Timeout(300)
public abstract class SwapContractTest extends SwapFixture {
  /// With 16 bits and, where there are such, 8.
  @ParameterizedTest
  @EnumSource(KvType.class)
  void whatIsPutBackComesFromTheDiskAndIsNotComputedAgain(KvType type) {
    kvType = type;
    var requests = requests();
    var alone = requests.stream().map(this::runAlone).toList();
    swap = new SwapSpace(swapPath(), 64 * blockBytes());

    assertSameOnFewBlocks(requests, alone);

    assertThat(swappedIn.get()).isPositive();
    assertThat(swapFailures.get()).isZero();
    assertThat(refusals).isEmpty();
    // The block that was not full, and a token whose row was to come, each time.
    long prompts = 2 * requests.stream().mapToLong(request -> request.prompt().length).sum();
    assertThat(prefillRows.get())
        .isLessThanOrEqualTo(prompts + preemptions.get() * (blockTokens() + 1L));
  }

  @Test
  void whatFindsNoRoomIsComputedAgain() {
    var requests = requests();
    var alone = requests.stream().map(this::runAlone).toList();
    swap = new SwapSpace(swapPath(), 3 * blockBytes());

    assertSameOnFewBlocks(requests, alone);

    assertThat(swappedIn.get()).isPositive();
    assertThat(refusals).contains(SwapRefusal.FULL);
  }

  @Test
  void withoutAFileAllIsComputedAgain() throws IOException {
    var requests = requests();
    var alone = requests.stream().map(this::runAlone).toList();
    // What is no directory fails every file.
    swap = new SwapSpace(Files.createFile(directory.resolve("broken")), 64 * blockBytes());

    assertSameOnFewBlocks(requests, alone);

    assertThat(swappedOut.get()).isZero();
    assertThat(swapFailures.get()).isPositive();
  }

  @Test
  void aDiskThatFailsNowAndThenChangesNoAnswer() {
    var requests = requests();
    var alone = requests.stream().map(this::runAlone).toList();
    var disk = new FlakyDisk();
    disk.fail((operation, count) -> count % 3 == 2);
    swap = new SwapSpace(disk, 64 * blockBytes());

    assertSameOnFewBlocks(requests, alone);

    assertThat(swappedIn.get()).isPositive();
    assertThat(swapFailures.get()).isPositive();
  }

  @Test
  void aDiskThatForgetsChangesNoAnswer() {
    var requests = requests();
    var alone = requests.stream().map(this::runAlone).toList();
    var disk = new FlakyDisk();
    disk.corrupt((operation, count) -> operation == Operation.WRITE && count % 2 == 0);
    swap = new SwapSpace(disk, 64 * blockBytes());

    assertSameOnFewBlocks(requests, alone);

    assertThat(swappedOut.get()).isPositive();
    assertThat(swapFailures.get()).isPositive();
  }

  /// Texts that begin alike, swapped out and in, with keys and values of 8 bits where there are
  /// such.
  @Test
  void smallKeysAndValuesKnownPrefixesAndSwappingTogetherChangeNoAnswer() {
    kvType = KvType.INT8;
    var requests = new ArrayList<Requests>();
    for (int i = 0; i < 8; i++) {
      int[] shared = tokens(20 * (i % 3), 9);
      int[] own = tokens(20 + i, 50 + i);
      var request =
          Requests.of(IntStream.concat(IntStream.of(shared), IntStream.of(own)).toArray())
              .maxTokens(40)
              .ignoringEnd();
      requests.add(i % 2 == 0 ? request : request.seed(i));
    }
    var alone = requests.stream().map(this::runAlone).toList();
    swap = new SwapSpace(swapPath(), 64 * blockBytes());

    for (int round = 0; round < 2; round++) {
      assertSameOnFewBlocks(requests, alone);
    }

    assertThat(evictions.get()).isPositive();
    assertThat(swappedOut.get()).isPositive();
  }
}
