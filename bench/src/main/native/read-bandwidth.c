// read-bandwidth THREADS BYTES: prints how many bytes a second all threads together read of BYTES
// that they go through again and again, at best.
//
// What reads fastest differs between machines: how many places a thread reads at once, and whether
// it asks for lines ahead of time. Each way has some windows of time; the best window counts. All
// threads read until its end, so that none waits for another.
#define _GNU_SOURCE
#include <immintrin.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum {
  MOST_STREAMS = 8,
  PIECE = 64 << 10,  // bytes of a stream between two looks at the clock
  STRIDE = 256,      // bytes of a stream before the next one's turn
  AHEAD = 2 << 10,   // bytes that prefetching is ahead
  ROUNDS = 3,
  MOST_THREADS = 1024,
};
static const double WINDOW_SECONDS = 0.05;

struct way {
  int streams;
  int ahead;
};
static const struct way WAYS[] = {{1, 0}, {2, 0}, {4, 0}, {8, 0}, {1, AHEAD}, {2, AHEAD}, {4, AHEAD}};
enum { WAY_COUNT = sizeof WAYS / sizeof WAYS[0] };

struct reader {
  pthread_t thread;
  const char *data;
  size_t bytes;   // a multiple of MOST_STREAMS * PIECE
  size_t at;      // of the first stream
  uint64_t read;  // bytes in this window
  double start, end;
};

static pthread_barrier_t barrier;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

// Each gives the sum of the 64-bit numbers in a piece of each stream.
typedef uint64_t (*sum_piece)(const char *first, size_t apart, struct way way);

#define DEFINE_SUM(NAME, TARGET, VECTOR, ZERO, ADD, LOAD)                                  \
  __attribute__((target(TARGET))) static uint64_t NAME(                                    \
      const char *first, size_t apart, struct way way) {                                   \
    VECTOR sums[4] = {ZERO, ZERO, ZERO, ZERO};                                             \
    for (size_t at = 0; at < PIECE; at += STRIDE) {                                        \
      for (int stream = 0; stream < way.streams; stream++) {                               \
        const char *from = first + stream * apart + at;                                    \
        if (way.ahead) {                                                                   \
          for (int line = 0; line < STRIDE; line += 64) {                                  \
            __builtin_prefetch(from + way.ahead + line);                                   \
          }                                                                                \
        }                                                                                  \
        for (size_t i = 0; i < STRIDE / sizeof(VECTOR); i++) {                             \
          sums[i % 4] = ADD(sums[i % 4], LOAD((const VECTOR *)from + i));                  \
        }                                                                                  \
      }                                                                                    \
    }                                                                                      \
    VECTOR all = ADD(ADD(sums[0], sums[1]), ADD(sums[2], sums[3]));                        \
    uint64_t lanes[sizeof(VECTOR) / 8];                                                    \
    __builtin_memcpy(lanes, &all, sizeof all);                                             \
    uint64_t sum = 0;                                                                      \
    for (size_t lane = 0; lane < sizeof(VECTOR) / 8; lane++) sum += lanes[lane];           \
    return sum;                                                                            \
  }

DEFINE_SUM(sum_avx512, "avx512f", __m512i, _mm512_setzero_si512(), _mm512_add_epi64,
           _mm512_load_si512)
DEFINE_SUM(sum_avx2, "avx2", __m256i, _mm256_setzero_si256(), _mm256_add_epi64, _mm256_load_si256)
DEFINE_SUM(sum_sse2, "sse2", __m128i, _mm_setzero_si128(), _mm_add_epi64, _mm_load_si128)

static sum_piece widest(void) {
  return __builtin_cpu_supports("avx512f") ? sum_avx512
         : __builtin_cpu_supports("avx2")  ? sum_avx2
                                           : sum_sse2;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

// Memory in huge pages where there are such, filled with ones by the thread that reads it, so that
// it lies near that thread.
static void fill(struct reader *reader) {
  uint64_t *data = mmap(NULL, reader->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) fail("mmap");
  madvise(data, reader->bytes, MADV_HUGEPAGE);
  for (size_t i = 0; i < reader->bytes / 8; i++) data[i] = 1;
  reader->data = (const char *)data;
}

// Reads on from where the window before ended: none of the bytes is read more often than another.
static void read_window(struct reader *reader, sum_piece sum, struct way way) {
  size_t apart = reader->bytes / way.streams;
  uint64_t ones = 0;
  reader->read = 0;
  reader->start = now();
  do {
    reader->at = reader->at + PIECE <= apart ? reader->at : 0;
    ones += sum(reader->data + reader->at, apart, way);
    reader->at += PIECE;
    reader->read += (uint64_t)PIECE * way.streams;
    reader->end = now();
  } while (reader->end - reader->start < WINDOW_SECONDS);
  if (ones * 8 != reader->read) {
    fprintf(stderr, "read-bandwidth: the sum is wrong\n");
    exit(1);
  }
}

static void *run(void *argument) {
  struct reader *reader = argument;
  sum_piece sum = widest();
  fill(reader);
  for (int round = 0; round < ROUNDS; round++) {
    for (int way = 0; way < WAY_COUNT; way++) {
      pthread_barrier_wait(&barrier);
      read_window(reader, sum, WAYS[way]);
      pthread_barrier_wait(&barrier);  // the main thread adds up between this and the next window
    }
  }
  return NULL;
}

// Bytes a second of all readers in the window that ended.
static double speed(const struct reader *readers, int threads) {
  double start = readers[0].start, end = readers[0].end;
  uint64_t bytes = 0;
  for (int i = 0; i < threads; i++) {
    bytes += readers[i].read;
    if (readers[i].start < start) start = readers[i].start;
    if (readers[i].end > end) end = readers[i].end;
  }
  return bytes / (end - start);
}

int main(int count, char **words) {
  long threads = count == 3 ? atol(words[1]) : 0;
  long long bytes = count == 3 ? atoll(words[2]) : 0;
  if (threads < 1 || threads > MOST_THREADS || bytes < 1) {
    fprintf(stderr, "usage: read-bandwidth THREADS BYTES\n");
    return 2;
  }
  struct reader *readers = calloc(threads, sizeof *readers);
  if (!readers) fail("calloc");
  size_t unit = (size_t)MOST_STREAMS * PIECE;
  size_t each = (bytes / threads + unit - 1) / unit * unit;
  pthread_barrier_init(&barrier, NULL, threads + 1);
  for (int i = 0; i < threads; i++) {
    readers[i].bytes = each;
    if (pthread_create(&readers[i].thread, NULL, run, &readers[i])) fail("pthread_create");
  }
  double best = 0;
  for (int window = 0; window < ROUNDS * WAY_COUNT; window++) {
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    double reached = speed(readers, threads);
    if (reached > best) best = reached;
  }
  for (int i = 0; i < threads; i++) pthread_join(readers[i].thread, NULL);
  printf("%.0f\n", best);
  return 0;
}
