package dev.weft.runtime.instance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.functions.instance.PerformanceTable;
import dev.weft.functions.instance.PerformanceTable.DecodeRow;
import dev.weft.functions.instance.PerformanceTable.DecodeTime;
import dev.weft.functions.instance.PerformanceTable.PrefillTime;
import dev.weft.runtime.engine.StepProfile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProfileStoreTest {
  private static final PerformanceTable TABLE =
      new PerformanceTable(
          List.of(new PrefillTime(16, 2.5)),
          List.of(new DecodeRow(64, List.of(new DecodeTime(1, 0.5), new DecodeTime(4, 0.75)))));

  @TempDir private Path home;
  private Path model;
  private Path directory;
  private ProfileStore store;

  @BeforeEach
  void writeModel() throws IOException {
    model = Files.writeString(home.resolve("model.gguf"), "weights");
    directory = home.resolve("profiles");
    store = ProfileStore.in(directory);
  }

  @Test
  void findsAgainWhatWasKept() throws Exception {
    var kept = new CountDownLatch(1);
    StepProfile profile = store.open(model, List.of("cpu"), kept::countDown);
    assertThat(profile.table()).isEmpty();
    profile.measured(TABLE);
    kept.await();

    assertThat(ProfileStore.in(directory).open(model, List.of("cpu"), () -> {}).table())
        .contains(TABLE);
    assertThat(store.open(model, List.of("cpu", "w8a8"), () -> {}).table()).isEmpty();
    Files.writeString(model, "other weights");
    assertThat(store.open(model, List.of("cpu"), () -> {}).table()).isEmpty();
  }

  @Test
  void measuresAgainWhatCannotBeRead() throws Exception {
    var kept = new CountDownLatch(1);
    store.open(model, List.of(), kept::countDown).measured(TABLE);
    kept.await();
    for (Path file : filesIn(directory)) {
      Files.writeString(file, "{\"prefill\":[],");
    }

    var keptAgain = new CountDownLatch(1);
    StepProfile again = store.open(model, List.of(), keptAgain::countDown);
    assertThat(again.table()).isEmpty();
    again.measured(TABLE);
    keptAgain.await();
    assertThat(store.open(model, List.of(), () -> {}).table()).contains(TABLE);
  }

  private static List<Path> filesIn(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.toList();
    }
  }
}
