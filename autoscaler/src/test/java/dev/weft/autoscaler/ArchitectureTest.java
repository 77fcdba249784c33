package dev.weft.autoscaler;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaCall;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.Set;

/// The policies are pure: what they decide depends on their arguments alone.
@AnalyzeClasses(
    packages = "dev.weft.autoscaler",
    importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  private static final Set<String> CLOCKS =
      Set.of("now", "nanoTime", "currentTimeMillis", "systemUTC", "systemDefaultZone", "system");

  @ArchTest
  static final ArchRule DEPENDS_ON_FUNCTIONS_AND_THE_JDK_ONLY =
      classes()
          .should()
          .onlyDependOnClassesThat()
          .resideInAnyPackage(
              "java..", "org.jspecify..", "dev.weft.functions..", "dev.weft.autoscaler..");

  @ArchTest
  static final ArchRule DOES_NO_INPUT_OR_OUTPUT =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "java.net..", "java.nio.file..", "java.nio.channels..", "java.io..", "java.sql..");

  @ArchTest
  static final ArchRule LOGS_NOTHING =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("java.util.logging..", "org.slf4j..")
          .orShould()
          .accessField(System.class, "out")
          .orShould()
          .accessField(System.class, "err")
          .orShould()
          .dependOnClassesThat()
          .areAssignableTo(System.Logger.class);

  @ArchTest
  static final ArchRule HAS_NO_THREADS =
      noClasses()
          .should()
          .dependOnClassesThat()
          .areAssignableTo(Thread.class)
          .orShould()
          .dependOnClassesThat()
          .resideInAPackage("java.util.concurrent..");

  @ArchTest
  static final ArchRule READS_NO_CLOCK =
      noClasses()
          .should()
          .callMethodWhere(
              DescribedPredicate.describe(
                  "it reads a clock",
                  (JavaCall<?> call) ->
                      CLOCKS.contains(call.getName())
                          && call.getTargetOwner().getPackageName().matches("java\\.(time|lang)")));

  @ArchTest
  static final ArchRule TAKES_RANDOMNESS_AS_AN_ARGUMENT =
      noClasses()
          .should()
          .dependOnClassesThat(
              DescribedPredicate.describe(
                  "are sources of randomness",
                  (JavaClass type) ->
                      type.getName().equals("java.util.Random")
                          || type.getName().equals("java.util.SplittableRandom")
                          || type.getName().equals("java.security.SecureRandom")
                          || type.getName().equals("java.util.UUID")))
          .orShould()
          .callMethod(Math.class, "random");

  @ArchTest
  static final ArchRule HAS_NO_PACKAGE_CYCLES =
      slices().matching("dev.weft.autoscaler.(*)..").should().beFreeOfCycles();
}
