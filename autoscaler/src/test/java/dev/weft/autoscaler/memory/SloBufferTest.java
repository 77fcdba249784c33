package dev.weft.autoscaler.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class SloBufferTest {
  /// Steps as letters: `s` slow, `l` late, `b` both, `.` neither.
  private static SloBuffer after(SloBuffer buffer, String steps) {
    for (int i = 0; i < steps.length(); i++) {
      char step = steps.charAt(i);
      buffer = buffer.after(step == 's' || step == 'b', step == 'l' || step == 'b');
    }
    return buffer;
  }

  private static SloBuffer buffer(long bytes) {
    return new SloBuffer(bytes, 10, 800, 0, 0);
  }

  @Test
  void beginsWithAllOfIt() {
    assertThat(SloBuffer.of(10, 800).bytes()).isEqualTo(800);
    assertThat(SloBuffer.of(0, 0).after(true, true).bytes()).isZero();
  }

  @Test
  void halvesWhenTokensAreSlow() {
    assertThat(after(buffer(400), "ss").bytes()).isEqualTo(400);
    assertThat(after(buffer(400), "sss").bytes()).isEqualTo(200);
    assertThat(after(buffer(400), "s.s.s").bytes()).isEqualTo(200);
  }

  @Test
  void doublesWhenFirstTokensAreLate() {
    assertThat(after(buffer(200), "l.ll").bytes()).isEqualTo(400);
    assertThat(after(buffer(500), "lll").bytes()).isEqualTo(800);
  }

  @Test
  void forgetsWhatIsLongerAgoThanFiveSteps() {
    assertThat(after(buffer(400), "s..s..s..s..s").bytes()).isEqualTo(400);
    assertThat(after(buffer(400), "ss...s").bytes()).isEqualTo(400);
  }

  @Test
  void aChangeShowsItsEffectBeforeTheNext() {
    assertThat(after(buffer(400), "sssss").bytes()).isEqualTo(200);
    assertThat(after(buffer(400), "ssssss").bytes()).isEqualTo(100);
  }

  @Test
  void staysWhereItIsWhenBothAreMissed() {
    assertThat(after(buffer(400), "bbb").bytes()).isEqualTo(400);
    assertThat(after(buffer(400), "bbb").slowTokens()).isZero();
  }

  @Test
  void comesBackFromTheLeast() {
    SloBuffer least = after(buffer(20), "ssssss");
    assertThat(least.bytes()).isEqualTo(10);
    assertThat(after(least, "lll").bytes()).isEqualTo(20);
  }

  @Test
  void refusesSizesThatCannotBe() {
    assertThatIllegalArgumentException().isThrownBy(() -> new SloBuffer(5, 10, 20, 0, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> SloBuffer.of(0, 20));
  }

  /// Whatever is missed, the size stays within its bounds, and goes one way only for its reason.
  @Property
  void staysWithinItsBounds(@ForAll List<Boolean> slow, @ForAll List<Boolean> late) {
    SloBuffer buffer = buffer(100);
    for (int i = 0; i < Math.min(slow.size(), late.size()); i++) {
      SloBuffer next = buffer.after(slow.get(i), late.get(i));
      assertThat(next.bytes()).isBetween(10L, 800L);
      if (next.bytes() < buffer.bytes()) {
        assertThat(slow.get(i)).isTrue();
      }
      if (next.bytes() > buffer.bytes()) {
        assertThat(late.get(i)).isTrue();
      }
      buffer = next;
    }
  }
}
