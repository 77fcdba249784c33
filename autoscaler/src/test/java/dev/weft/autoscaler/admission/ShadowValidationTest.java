package dev.weft.autoscaler.admission;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.autoscaler.admission.ShadowValidation.Code;
import dev.weft.autoscaler.admission.ShadowValidation.Fits;
import dev.weft.autoscaler.admission.ShadowValidation.Outcome;
import dev.weft.autoscaler.admission.ShadowValidation.Refused;
import dev.weft.autoscaler.admission.ShadowValidation.Request;
import dev.weft.autoscaler.admission.ShadowValidation.Rules;
import dev.weft.autoscaler.memory.KvWatermark;
import org.junit.jupiter.api.Test;

class ShadowValidationTest {
  private static final Rules RULES = new Rules(new KvWatermark(0.25, 100), true, true);

  private final TestDevice device = new TestDevice(1_000);

  private Outcome decide(Request request, TestInstance instance) {
    return ShadowValidation.decide(request, instance, device, RULES, 0);
  }

  private static Request request(long deadline) {
    return new Request(10, 50, deadline);
  }

  @Test
  void whatFitsJoinsAsItIs() {
    var instance = device.add(new TestInstance().holding(400));
    assertThat(decide(request(1_000), instance))
        .isInstanceOfSatisfying(
            Fits.class,
            fits -> {
              assertThat(fits.tokens()).isEqualTo(400);
              assertThat(fits.decodeShare()).isEqualTo(0.1);
            });
  }

  @Test
  void memoryGrowsByTheWatermarkWhereThereIsRoom() {
    var instance = device.add(new TestInstance().holding(400).needing(390));
    assertThat(decide(request(1_000), instance))
        .isInstanceOfSatisfying(Fits.class, fits -> assertThat(fits.tokens()).isEqualTo(550));
  }

  @Test
  void idleNeighboursCountAsRoom() {
    var instance = device.add(new TestInstance().holding(400).needing(390));
    device.add(new TestInstance().holding(600));
    assertThat(decide(request(1_000), instance)).isEqualTo(new Refused(Code.MEMORY, 40));
    device.idleBytes = 600;
    assertThat(decide(request(1_000), instance)).isInstanceOf(Fits.class);
  }

  @Test
  void aDeviceWithoutGrowingMemoryRefusesGrowth() {
    device.growsKv = false;
    var instance = device.add(new TestInstance().holding(400).needing(390));
    assertThat(decide(request(1_000), instance)).isEqualTo(new Refused(Code.CANNOT_GROW, 40));
    assertThat(decide(request(1_000), new TestInstance().weighing(100)))
        .as("a new one is made as large as it needs")
        .isInstanceOf(Fits.class);
  }

  @Test
  void weightsOfANewInstanceNeedRoomToo() {
    device.add(new TestInstance().holding(800));
    assertThat(decide(request(1_000), new TestInstance().weighing(150)))
        .isEqualTo(new Refused(Code.MEMORY, 50));
    assertThat(decide(request(1_000), new TestInstance().weighing(250)))
        .isEqualTo(new Refused(Code.MEMORY, 100));
  }

  @Test
  void tokensOfAllInstancesMustFitTheTime() {
    // A step takes 10 for a sequence; each promises one in 100: ten at once, on whichever instance.
    device.add(new TestInstance().holding(400).running(7));
    var instance = device.add(new TestInstance().holding(400).running(2));
    assertThat(decide(request(100_000), instance)).isInstanceOf(Fits.class);
    instance.running(3);
    assertThat(decide(request(100_000), instance))
        .isInstanceOfSatisfying(
            Refused.class,
            refused -> {
              assertThat(refused.code()).isEqualTo(Code.DECODE_SHARE);
              assertThat(refused.gap())
                  .isCloseTo(0.1, org.assertj.core.api.Assertions.within(1e-9));
            });
  }

  @Test
  void aPromptThatWouldBeLateIsRefused() {
    var instance = device.add(new TestInstance().holding(400));
    device.freeAt = 50;
    // 10 tokens take 100, from 50 on; before its first token nobody is owed another.
    assertThat(decide(request(150), instance)).isInstanceOf(Fits.class);
    assertThat(decide(request(149), instance)).isEqualTo(new Refused(Code.PROMPTS, 1));
  }

  @Test
  void onePromptThatHasLostItsDeadlineLetsOthersPass() {
    var instance = device.add(new TestInstance().holding(400));
    device.add(new TestInstance().holding(400).prompt(-1, 1_000));
    assertThat(decide(request(100), instance)).isInstanceOf(Fits.class);
    device.add(new TestInstance().holding(400).prompt(0, 1_000));
    assertThat(decide(request(100), instance))
        .as("one whose deadline is now comes first")
        .isInstanceOf(Refused.class);
  }

  @Test
  void saysHowLateItWouldBeAlone() {
    var instance = new TestInstance().holding(400);
    var request = request(70);
    assertThat(ShadowValidation.lateAloneNanos(request, instance, 0)).isEqualTo(30);
    assertThat(ShadowValidation.lateAloneNanos(request(100), instance, 0)).isZero();
    assertThat(ShadowValidation.lateAloneNanos(request, instance.readyAt(50), 0)).isEqualTo(80);
  }

  @Test
  void tokensThatAreOwedUntilThenTakeTheirTime() {
    var instance = device.add(new TestInstance().holding(400));
    var neighbour = device.add(new TestInstance().holding(400).running(5));
    // A step of 50 at once and after each 100: three until 250.
    assertThat(decide(request(250), instance)).isInstanceOf(Fits.class);
    assertThat(decide(request(249), instance)).isEqualTo(new Refused(Code.PROMPTS, 1));
    // One that is ahead owes nothing until its next token is due.
    neighbour.tokensDueAt(110);
    assertThat(decide(request(110), instance)).isInstanceOf(Fits.class);
    neighbour.tokensDueAt(50);
    assertThat(decide(request(110), instance)).isEqualTo(new Refused(Code.PROMPTS, 40));
  }

  @Test
  void aPromptBeforeItOwesTokensOnceItWasComputed() {
    device.add(new TestInstance().holding(300).prompt(150, 10));
    var before = device.add(new TestInstance().holding(300).running(1).prompt(160, 1));
    var instance = device.add(new TestInstance().holding(300));
    // Prompts until 100, 110 and 210; the second's next token is due at 210.
    assertThat(slack(210, instance)).isZero();
    assertThat(slack(250, instance)).isEqualTo(30);
    before.tokensDueAt(0);
    assertThat(slack(250, instance)).isEqualTo(10);
  }

  private long slack(long deadline, TestInstance instance) {
    return ((Fits) decide(request(deadline), instance)).slackNanos();
  }

  @Test
  void aPromptDueLaterThatWouldBecomeLateRefusesIt() {
    var neighbour = device.add(new TestInstance().holding(300).prompt(300, 10));
    var instance = device.add(new TestInstance().holding(300));
    assertThat(decide(request(200), instance)).isInstanceOf(Fits.class);
    neighbour.prompts.clear();
    neighbour.prompt(210, 12);
    assertThat(decide(request(200), instance))
        .isInstanceOfSatisfying(
            Refused.class, refused -> assertThat(refused.code()).isEqualTo(Code.PROMPTS));
  }

  @Test
  void aPromptThatIsLateAnywayDoesNot() {
    device.add(new TestInstance().holding(300).prompt(20, 10));
    var instance = device.add(new TestInstance().holding(300));
    assertThat(decide(request(400), instance)).isInstanceOf(Fits.class);
  }

  @Test
  void whatIsBeingLoadedBeginsWhenItIsReady() {
    var loading = new TestInstance().weighing(100).readyAt(1_000);
    assertThat(decide(request(1_100), loading)).isInstanceOf(Fits.class);
    assertThat(decide(request(1_099), loading)).isInstanceOf(Refused.class);
    // Until then others are served.
    device.add(new TestInstance().holding(300).prompt(500, 20));
    assertThat(decide(request(1_200), loading)).isInstanceOf(Fits.class);
  }

  @Test
  void everyRefusalCanBeRead() {
    for (Code code : Code.values()) {
      assertThat(new Refused(code, 0.5).describe()).isNotBlank();
      assertThat(new Refused(code, 0.5).values()).hasSize(1);
    }
  }
}
