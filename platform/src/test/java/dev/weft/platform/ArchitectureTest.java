package dev.weft.platform;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/// The platform meets runtimes over HTTP only, one package speaks SQL, and the gateway decides on
/// snapshots.
@AnalyzeClasses(packages = "dev.weft", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  @ArchTest
  static final ArchRule PLATFORM_KNOWS_NO_RUNTIME =
      noClasses()
          .that()
          .resideInAPackage("dev.weft.platform..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.weft.runtime..");

  @ArchTest
  static final ArchRule ONLY_STATE_SPEAKS_SQL =
      noClasses()
          .that()
          .resideInAPackage("dev.weft.platform..")
          .and()
          .resideOutsideOfPackage("dev.weft.platform.state..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("java.sql..", "javax.sql..");

  @ArchTest
  static final ArchRule GATEWAY_AND_CONTROL_OPEN_NO_DATABASE =
      noClasses()
          .that()
          .resideInAnyPackage("dev.weft.platform.gateway..", "dev.weft.platform.control..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.weft.platform.state..");

  @ArchTest
  static final ArchRule ONLY_CLUSTER_KNOWS_KUBERNETES =
      noClasses()
          .that()
          .resideInAPackage("dev.weft.platform..")
          .and()
          .resideOutsideOfPackage("dev.weft.platform.cluster..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("io.fabric8..");

  @ArchTest
  static final ArchRule WHAT_THE_OPERATOR_DECIDES_ASKS_NOBODY =
      noClasses()
          .that()
          .resideInAPackage("dev.weft.platform.cluster.model..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("io.fabric8.kubernetes.client..");

  @ArchTest
  static final ArchRule CONTROL_DOES_NOT_KNOW_THE_GATEWAY =
      noClasses()
          .that()
          .resideInAnyPackage("dev.weft.platform.control..", "dev.weft.platform.keys..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.weft.platform.gateway..", "dev.weft.platform.management..");

  @ArchTest
  static final ArchRule FOREIGN_FUNCTIONS_ARE_FOR_RUNTIMES =
      noClasses()
          .that()
          .resideInAPackage("dev.weft.platform..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("java.lang.foreign..");

  @ArchTest
  static final ArchRule DECISIONS_ARE_NOT_SCATTERED =
      classes()
          .that()
          .resideInAPackage("dev.weft.autoscaler..")
          .should()
          .onlyBeAccessed()
          .byAnyPackage(
              "dev.weft.autoscaler..",
              "dev.weft.platform.control..",
              "dev.weft.platform.gateway.routing..",
              "dev.weft.platform.gateway.activator..",
              "dev.weft.platform.simulation..");

  @ArchTest
  static final ArchRule NO_CYCLES =
      slices().matching("dev.weft.platform.(**)").should().beFreeOfCycles();
}
