package dev.weft.autoscaler.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.placement.Room.Displaces;
import dev.weft.autoscaler.placement.Room.Fits;
import dev.weft.autoscaler.placement.Room.Full;
import dev.weft.autoscaler.placement.Room.Neighbour;
import dev.weft.autoscaler.placement.Room.Place;
import dev.weft.functions.FunctionName;
import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;

/// For any devices: nobody goes that must not, nobody in vain, and room is found where there is
/// any.
class RoomPropertyTest {
  @Property(tries = 2_000)
  void whoGoesMayGoAndIsNeeded(
      @ForAll @LongRange(min = 1, max = 300) long bytes,
      @ForAll @IntRange(min = 1, max = 3) int priority,
      @ForAll("places") List<Place> places) {
    switch (Room.decide(bytes, priority, places)) {
      case Fits(var devices) ->
          assertThat(devices)
              .isNotEmpty()
              .containsExactlyElementsOf(
                  places.stream()
                      .filter(place -> place.room() >= bytes)
                      .map(Place::device)
                      .toList());
      case Displaces displaces -> {
        assertThat(places).allMatch(place -> place.room() < bytes);
        Place place = find(places, displaces.device());
        long room = place.room();
        int requests = 0;
        for (RevisionId victim : displaces.victims()) {
          Neighbour gone = find(place, victim);
          assertThat(gone.kept() || gone.idle()).isFalse();
          assertThat(gone.priority()).isLessThanOrEqualTo(priority);
          if (gone.priority() == priority) {
            assertThat(gone.elsewhere()).isTrue();
          }
          room += gone.bytes();
          requests += gone.batch();
        }
        assertThat(displaces.victims()).isNotEmpty().doesNotHaveDuplicates();
        assertThat(displaces.requests()).isEqualTo(requests);
        assertThat(room).isGreaterThanOrEqualTo(bytes);
        for (RevisionId victim : displaces.victims()) {
          assertThat(room - find(place, victim).bytes()).as("without %s", victim).isLessThan(bytes);
        }
      }
      case Full _ ->
          assertThat(places)
              .allMatch(place ->
                  place.room()
                          + place.neighbours().stream()
                              .filter(neighbour -> neighbour.mayGoFor(priority))
                              .mapToLong(Neighbour::bytes)
                              .sum()
                      < bytes);
    }
  }

  /// Two functions of which neither has another instance: at most one displaces the other.
  @Property
  void twoNeverDisplaceEachOther(
      @ForAll @IntRange(min = 1, max = 3) int one, @ForAll @IntRange(min = 1, max = 3) int other) {
    boolean oneGoes = displaces(other, one);
    boolean otherGoes = displaces(one, other);
    assertThat(oneGoes && otherGoes).isFalse();
    assertThat(oneGoes || otherGoes).isEqualTo(one != other);
  }

  private static boolean displaces(int priority, int ofNeighbour) {
    var neighbour = new Neighbour(revision(0), 10, 1, false, false, ofNeighbour, false);
    return Room.decide(10, priority, List.of(new Place(new DeviceId("d"), 0, List.of(neighbour))))
        instanceof Displaces;
  }

  @Provide
  Arbitrary<List<Place>> places() {
    Arbitrary<Neighbour> neighbour =
        Combinators.combine(
                Arbitraries.integers().between(0, 99),
                Arbitraries.longs().between(0, 100),
                Arbitraries.integers().between(0, 5),
                Arbitraries.of(true, false, false),
                Arbitraries.of(true, false, false, false),
                Arbitraries.integers().between(1, 3),
                Arbitraries.of(true, false))
            .as((name, bytes, batch, idle, kept, priority, elsewhere) ->
                new Neighbour(
                    revision(name), bytes, batch, idle && !kept, kept, priority, elsewhere));
    return Combinators.combine(
            Arbitraries.longs().between(0, 60),
            neighbour.list().ofMaxSize(5).uniqueElements(Neighbour::revision))
        .as((free, neighbours) -> new Place(new DeviceId("none"), free, neighbours))
        .list()
        .ofMaxSize(4)
        .map(RoomPropertyTest::named);
  }

  private static List<Place> named(List<Place> places) {
    List<Place> named = new ArrayList<>();
    for (Place place : places) {
      named.add(new Place(new DeviceId("d" + named.size()), place.freeBytes(), place.neighbours()));
    }
    return named;
  }

  private static Place find(List<Place> places, DeviceId device) {
    return places.stream().filter(place -> place.device().equals(device)).findFirst().orElseThrow();
  }

  private static Neighbour find(Place place, RevisionId revision) {
    return place.neighbours().stream()
        .filter(neighbour -> neighbour.revision().equals(revision))
        .findFirst()
        .orElseThrow();
  }

  private static RevisionId revision(int number) {
    return new RevisionId(new FunctionName("f" + number), 1);
  }
}
