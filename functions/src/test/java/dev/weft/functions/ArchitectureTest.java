package dev.weft.functions;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/// The contract stands on nothing of ours, so that everything may stand on it.
@AnalyzeClasses(
    packages = "dev.weft.functions",
    importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  @ArchTest
  static final ArchRule DEPENDS_ON_JACKSON_AND_THE_JDK_ONLY =
      classes()
          .should()
          .onlyDependOnClassesThat()
          .resideInAnyPackage(
              "java..", "org.jspecify..", "com.fasterxml.jackson..", "dev.weft.functions..");

  @ArchTest
  static final ArchRule DOES_NOT_REACH_OUT =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("java.net.http..", "java.nio.file..", "java.sql..")
          .orShould()
          .dependOnClassesThat()
          .areAssignableTo(Thread.class);

  @ArchTest
  static final ArchRule MANIFESTS_DO_NOT_KNOW_INSTANCES =
      noClasses()
          .that()
          .resideInAPackage("dev.weft.functions")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.weft.functions.instance..");

  @ArchTest
  static final ArchRule HAS_NO_PACKAGE_CYCLES =
      slices().matching("dev.weft.(**)").should().beFreeOfCycles();
}
