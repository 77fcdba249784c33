package dev.weft.autoscaler.simulation;

/// What was decided in a simulation, to be counted. Why a place was refused is a
/// [dev.weft.autoscaler.admission.ShadowValidation.Code] beside it.
public enum Decision {
  /// A request joined an instance that was there.
  JOINED,
  /// It did after a smaller neighbour was taken off the device.
  JOINED_BY_PREEMPTION,
  /// An instance was made for it.
  CREATED,
  /// It was in the place of one whose function got more.
  CREATED_BY_DISPLACEMENT,
  /// An instance was made ahead of calls that are likely soon.
  CREATED_AHEAD,
  /// It has to wait.
  REFUSED,
  /// It waited in vain and is given up.
  GIVEN_UP,
  /// It lost its place, since its instance was taken off or lacked memory.
  EVICTED,
  /// It lost its place with its device.
  LOST_WITH_DEVICE,
  /// An instance idled past its keep-alive.
  UNLOADED_IDLE,
  /// An idle instance made room.
  UNLOADED_FOR_ROOM,
  /// An instance that ran was taken off for another.
  UNLOADED_RUNNING,
  /// KV memory grew.
  GREW,
  /// KV memory shrank.
  SHRANK,
  /// A step was granted to the token due first.
  STEP_LEAST_HEADROOM,
  /// A step was granted to who was late and had got least.
  STEP_FAIR_SHARE,
  /// A step was granted to who had waited too long.
  STEP_WAITED_LONG,
  /// A step was granted in turn.
  STEP_ITS_TURN
}
