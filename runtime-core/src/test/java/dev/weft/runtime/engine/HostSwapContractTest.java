package dev.weft.runtime.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.runtime.backend.Backend;
import dev.weft.runtime.backend.KvType;
import dev.weft.runtime.engine.EngineObserver.SwapPlace;
import dev.weft.runtime.memory.SwapSpace;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// What an engine promises of sequences that are put back where the device copies blocks to the
/// host's memory by itself: no answer changes, wherever blocks lie and whatever was copied when.
@Timeout(300)
public abstract class HostSwapContractTest extends SwapFixture {
  private long slabBytes = 1 << 20;
  private int slabs = 16;

  /// @param slabs of the host's memory, for blocks
  protected abstract Backend open(int slabs, long slabBytes);

  @Override
  protected final Backend open() {
    return open(slabs, slabBytes);
  }

  /// Keys and values of 8 bits.
  @Test
  void whatIsPutBackComesFromTheHostsMemory() {
    kvType = KvType.INT8;
    var requests = requests();
    var alone = requests.stream().map(this::runAlone).toList();
    swap = SwapSpace.NONE;

    assertSameOnFewBlocks(requests, alone);

    assertThat(swappedIn.get()).isPositive();
    assertThat(swapPlaces).containsExactly(SwapPlace.HOST);
    assertThat(swapFailures.get()).isZero();
  }

  /// Of 16 bits.
  @Test
  void whatFindsNoRoomThereGoesToTheFile() {
    var requests = requests();
    var alone = requests.stream().map(this::runAlone).toList();
    slabBytes = blockBytes();
    slabs = 3;
    swap = new SwapSpace(swapPath(), 64 * blockBytes());

    assertSameOnFewBlocks(requests, alone);

    assertThat(swapPlaces).containsExactlyInAnyOrder(SwapPlace.HOST, SwapPlace.FILE);
    assertThat(swapFailures.get()).isZero();
  }
}
