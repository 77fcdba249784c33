// What the benchmark calls of cuBLASLt, on memory of the host: for tests of how it is called.
#include <cstddef>
#include <cstdint>
#include <cstring>

#define API extern "C" int

constexpr int INVALID_VALUE = 7;
constexpr int NOT_SUPPORTED = 15;
constexpr int FLOAT32 = 0;
constexpr int BFLOAT16 = 14;
constexpr int COMPUTE_FLOAT32 = 68;
constexpr uint64_t ALGORITHM = 0xa160;

struct Handle {};
struct Description {
  int32_t transA;
};
struct Layout {
  int type;
  uint64_t rows;
  uint64_t columns;
  int64_t leading;
};
struct Preference {
  uint64_t workspaceBytes;
};
struct Algorithm {
  uint64_t magic;
  uint64_t splits;
  uint64_t rest[6];
};
struct Result {
  Algorithm algorithm;
  size_t workspaceBytes;
  int state;
  float waves;
  int reserved[4];
};
static_assert(sizeof(Result) == 96, "");

static long alive;
static long products;

// For tests: what was created and not destroyed, and products that were computed.
extern "C" long fakeAlive() { return alive; }
extern "C" long fakeProducts() { return products; }

template <typename T>
int make(T** to, T value) {
  return alive++, *to = new T(value), 0;
}
template <typename T>
int end(T* of) {
  return alive--, delete of, 0;
}

extern "C" size_t cublasLtGetVersion() { return 130203; }
extern "C" const char* cublasLtGetStatusName(int status) {
  return status == INVALID_VALUE ? "CUBLAS_STATUS_INVALID_VALUE" : "unknown";
}
extern "C" const char* cublasLtGetStatusString(int) { return "a value is wrong"; }
API cublasLtCreate(Handle** to) { return make(to, Handle{}); }
API cublasLtDestroy(Handle* of) { return end(of); }

API cublasLtMatmulDescCreate(Description** to, int compute, int scale) {
  return compute != COMPUTE_FLOAT32 || scale != FLOAT32 ? NOT_SUPPORTED : make(to, Description{0});
}
API cublasLtMatmulDescSetAttribute(Description* of, int attribute, const void* at, size_t bytes) {
  if (attribute != 3 || bytes != sizeof(of->transA)) {
    return INVALID_VALUE;
  }
  return memcpy(&of->transA, at, bytes), 0;
}
API cublasLtMatmulDescDestroy(Description* of) { return end(of); }

API cublasLtMatrixLayoutCreate(Layout** to, int type, uint64_t rows, uint64_t columns, int64_t leading) {
  return rows == 0 || columns == 0 || leading < (int64_t)rows
             ? INVALID_VALUE
             : make(to, Layout{type, rows, columns, leading});
}
API cublasLtMatrixLayoutDestroy(Layout* of) { return end(of); }

API cublasLtMatmulPreferenceCreate(Preference** to) { return make(to, Preference{0}); }
API cublasLtMatmulPreferenceSetAttribute(Preference* of, int attribute, const void* at, size_t bytes) {
  if (attribute != 1 || bytes != sizeof(of->workspaceBytes)) {
    return INVALID_VALUE;
  }
  return memcpy(&of->workspaceBytes, at, bytes), 0;
}
API cublasLtMatmulPreferenceDestroy(Preference* of) { return end(of); }

static bool fit(Description* of, Layout* a, Layout* b, Layout* c, Layout* d) {
  return of->transA == 1 && a->type == BFLOAT16 && b->type == BFLOAT16 && c->type == FLOAT32 &&
         d->type == FLOAT32 && a->rows == b->rows && a->columns == d->rows && b->columns == d->columns;
}

// The second of three cannot be used.
API cublasLtMatmulAlgoGetHeuristic(
    Handle*, Description* of, Layout* a, Layout* b, Layout* c, Layout* d, Preference* preference,
    int most, Result* results, int* count) {
  if (!fit(of, a, b, c, d) || preference->workspaceBytes == 0) {
    return NOT_SUPPORTED;
  }
  for (*count = 0; *count < most && *count < 3; ++*count) {
    Result result = {{ALGORITHM, 1 + (uint64_t)*count}, 0, *count == 1 ? NOT_SUPPORTED : 0, 1};
    results[*count] = result;
  }
  return 0;
}
API cublasLtMatmulAlgoConfigGetAttribute(
    const Algorithm* of, int attribute, void* to, size_t bytes, size_t* written) {
  if (attribute != 2 || bytes != 4) {
    return INVALID_VALUE;
  }
  int32_t splits = (int32_t)of->splits;
  if (written != nullptr) {
    *written = bytes;
  }
  return memcpy(to, &splits, bytes), 0;
}

static float bfloat(const uint16_t* at) {
  uint32_t bits = (uint32_t)*at << 16;
  float value;
  return memcpy(&value, &bits, 4), value;
}

API cublasLtMatmul(
    Handle*, Description* of, const float* alpha, const uint16_t* a, Layout* aLayout,
    const uint16_t* b, Layout* bLayout, const float* beta, const float* c, Layout* cLayout, float* d,
    Layout* dLayout, const Algorithm* algorithm, void* workspace, size_t workspaceBytes, long stream) {
  if (!fit(of, aLayout, bLayout, cLayout, dLayout) || algorithm->magic != ALGORITHM ||
      algorithm->splits == 2 || workspace == nullptr || workspaceBytes == 0 || stream == 0 ||
      *beta != 0 || c != d) {
    return INVALID_VALUE;
  }
  products++;
  for (uint64_t column = 0; column < dLayout->columns; column++) {
    for (uint64_t row = 0; row < dLayout->rows; row++) {
      double sum = 0;
      for (uint64_t i = 0; i < aLayout->rows; i++) {
        sum += (double)bfloat(a + row * aLayout->leading + i) * bfloat(b + column * bLayout->leading + i);
      }
      d[column * dLayout->leading + row] = *alpha * (float)sum;
    }
  }
  return 0;
}
