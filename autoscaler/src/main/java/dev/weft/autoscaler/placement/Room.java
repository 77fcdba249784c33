package dev.weft.autoscaler.placement;

import dev.weft.functions.RevisionId;
import dev.weft.functions.instance.DeviceId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/// Where there is room for an instance that requests wait for, or would be if others went.
///
/// 1. On devices where it fits beside what is busy, pinned or being loaded: what idles makes room
///    there by itself.
/// 2. Else on the device where the fewest requests are displaced for it. Who may be displaced has a
///    lower priority, or the same and another instance elsewhere that goes on with its requests; so
///    two functions never displace each other by turns, and nobody one of a higher priority.
///
/// Of a device's neighbours those of the lowest priority go first, of these the smallest batches,
/// and none that is not needed.
public final class Room {
  private static final Comparator<Neighbour> GOES_FIRST =
      Comparator.comparingInt(Neighbour::priority)
          .thenComparingInt(Neighbour::batch)
          .thenComparing(neighbour -> neighbour.revision().toString());

  private Room() {}

  /// Decides for an instance of so many bytes.
  public static Outcome decide(long bytes, int priority, List<Place> places) {
    List<DeviceId> fitting =
        places.stream().filter(place -> place.room() >= bytes).map(Place::device).toList();
    if (!fitting.isEmpty()) {
      return new Fits(fitting);
    }
    return places.stream()
        .map(place -> displaced(bytes, priority, place))
        .flatMap(Optional::stream)
        .min(
            Comparator.comparingInt(Displaces::requests)
                .thenComparing(displaces -> displaces.device().value()))
        .<Outcome>map(displaces -> displaces)
        .orElse(Full.FULL);
  }

  private static Optional<Displaces> displaced(long bytes, int priority, Place place) {
    List<Neighbour> candidates =
        place.neighbours().stream()
            .filter(neighbour -> neighbour.mayGoFor(priority))
            .sorted(GOES_FIRST)
            .toList();
    List<Neighbour> chosen = new ArrayList<>();
    long room = place.room();
    for (Neighbour candidate : candidates) {
      if (room >= bytes) {
        break;
      }
      chosen.add(candidate);
      room += candidate.bytes();
    }
    if (room < bytes) {
      return Optional.empty();
    }
    for (int i = chosen.size() - 1; i >= 0; i--) {
      if (room - chosen.get(i).bytes() >= bytes) {
        room -= chosen.remove(i).bytes();
      }
    }
    return Optional.of(
        new Displaces(
            place.device(),
            chosen.stream().map(Neighbour::revision).toList(),
            chosen.stream().mapToInt(Neighbour::batch).sum()));
  }

  /// A device.
  ///
  /// @param freeBytes that nobody has
  public record Place(DeviceId device, long freeBytes, List<Neighbour> neighbours) {
    public Place {
      neighbours = List.copyOf(neighbours);
    }

    /// What is free, and what idles.
    long room() {
      return freeBytes
          + neighbours.stream().filter(Neighbour::idle).mapToLong(Neighbour::bytes).sum();
    }
  }

  /// An instance on a device.
  ///
  /// @param bytes that its going would free at least
  /// @param batch requests that it runs
  /// @param idle whether it makes room by itself
  /// @param kept whether it stays whatever happens: it is pinned, or being loaded
  /// @param elsewhere whether another instance of it is ready on another device
  public record Neighbour(
      RevisionId revision,
      long bytes,
      int batch,
      boolean idle,
      boolean kept,
      int priority,
      boolean elsewhere) {
    boolean mayGoFor(int other) {
      return !idle && !kept && (priority < other || (priority == other && elsewhere));
    }
  }

  /// What was decided.
  public sealed interface Outcome {}

  /// There is room on each of these.
  public record Fits(List<DeviceId> devices) implements Outcome {
    public Fits {
      devices = List.copyOf(devices);
    }
  }

  /// There is, once these have gone.
  ///
  /// @param requests that they run together
  public record Displaces(DeviceId device, List<RevisionId> victims, int requests)
      implements Outcome {
    public Displaces {
      victims = List.copyOf(victims);
    }
  }

  /// There is none.
  public enum Full implements Outcome {
    FULL
  }
}
