// The functions of libnvrtc that the runtime calls. What they compile is of no use but to the
// emulated driver, which has its kernels already; each compilation gives other bytes, and a source
// with `#error` gives none. Its version is nobody else's: code is kept by it.
#include <string.h>

#include <string>

namespace {
struct Program {
  std::string source, code;
};
}  // namespace

#define API extern "C" int

API nvrtcVersion(int* major, int* minor) { return *major = 13, *minor = 99, 0; }
API nvrtcCreateProgram(Program** program, const char* source, const char*, int, void*, void*) {
  return *program = new Program{source, ""}, 0;
}
API nvrtcDestroyProgram(Program** program) { return delete *program, 0; }
API nvrtcCompileProgram(Program* program, int, const char**) {
  static int compilations;
  if (program->source.find("#error") != std::string::npos) {
    return 6;
  }
  program->code = "code " + std::to_string(++compilations);
  return 0;
}
API nvrtcGetProgramLogSize(Program*, size_t* bytes) { return *bytes = sizeof "it says #error", 0; }
API nvrtcGetProgramLog(Program*, char* text) { return strcpy(text, "it says #error"), 0; }
API nvrtcGetCUBINSize(Program* program, size_t* bytes) { return *bytes = program->code.size(), 0; }
API nvrtcGetCUBIN(Program* program, char* code) {
  return memcpy(code, program->code.data(), program->code.size()), 0;
}
extern "C" const char* nvrtcGetErrorString(int) { return "NVRTC_ERROR_COMPILATION"; }
