// The functions of libcuda.so.1 that the runtime calls, on the host's own processor and memory: a
// device address is a host address, a stream runs what is submitted at once, and a captured graph
// is a list of what was submitted. A test may hold a stream, and with it those that wait for its
// events; or have all streams be late: each runs when somebody waits for it, and no further than
// that, so that what is not ordered by waiting runs in another order. It checks what a device would
// fail on: sizes of launches, ranges that are not mapped, chunks that are mapped twice. Once there
// is a file of the name in WEFT_EMULATOR_LOSS, the device is lost to this process: the file goes,
// and every call fails.
#include "emulator.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "kernels.inc"

namespace emulator {
Index block, blocks, thread, threads;
unsigned char* shared;

std::map<std::string, Kernel>& kernels() {
  static std::map<std::string, Kernel> all;
  return all;
}

namespace {
constexpr int MOST_THREADS = 1024;
constexpr size_t STACK_BYTES = 128 << 10;
// What a block may have without being asked for, and at most.
constexpr int SHARED_BYTES = 48 << 10;
constexpr int MOST_SHARED_BYTES = 227 << 10;

struct Fiber {
  void* stack;
  void* top;
  bool done;
};

struct Warp {
  int arrived;
  long exchanges;
  LaneWords words[2][LANES];
};

struct Barrier {
  int arrived;
  long passed;
};

Fiber fibers[MOST_TOGETHER * MOST_THREADS];
Warp warps[MOST_TOGETHER * MOST_THREADS / LANES];
// Of each block that runs, and of all together.
Barrier barriers[MOST_TOGETHER], barrierOfBlocks;
void* schedulerTop;
int current;
int alive;
// The first of the blocks that run together, how many they are, and their shared memory.
int firstBlock, together;
unsigned char* memories[MOST_TOGETHER];
Kernel* running;
void** arguments;

extern "C" void weft_switch(void** from, void* to);
asm(R"(
.text
.type weft_switch, @function
weft_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");

int count() {
  return together * threads.x;
}

void select(int fiber) {
  current = fiber;
  thread.x = fiber % threads.x;
  block.x = firstBlock + fiber / threads.x;
  shared = memories[fiber / threads.x];
}

void runNext() {
  int from = current;
  int next = current;
  do {
    next = next + 1 == count() ? 0 : next + 1;
  } while (fibers[next].done);
  select(next);
  if (next != from) {
    weft_switch(&fibers[from].top, fibers[current].top);
  }
}

void entry() {
  running->run(arguments);
  fibers[current].done = true;
  alive--;
  if (alive == 0) {
    weft_switch(&fibers[current].top, schedulerTop);
  }
  // Threads that have left count as having arrived.
  runNext();
  abort();
}

void start(Fiber& fiber) {
  if (fiber.stack == nullptr) {
    fiber.stack = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  }
  fiber.done = false;
  void** top = (void**)((char*)fiber.stack + STACK_BYTES);
  *--top = nullptr;
  *--top = (void*)&entry;
  for (int i = 0; i < 6; i++) {
    *--top = nullptr;
  }
  fiber.top = top;
}

void runBlocks() {
  alive = count();
  for (Barrier& barrier : barriers) {
    barrier.arrived = 0;
  }
  barrierOfBlocks.arrived = 0;
  for (int i = 0; i < count(); i++) {
    start(fibers[i]);
  }
  for (Warp& warp : warps) {
    warp.arrived = 0;
  }
  select(0);
  weft_switch(&schedulerTop, fibers[0].top);
}
}  // namespace

static void arriveAt(Barrier& barrier, int count) {
  long mine = barrier.passed;
  if (++barrier.arrived == count) {
    barrier.arrived = 0;
    barrier.passed++;
    return;
  }
  while (barrier.passed == mine) {
    runNext();
  }
}

int rank() {
  return block.x - firstBlock;
}

void* inBlock(void* at, int other) {
  return memories[other] + ((unsigned char*)at - shared);
}

void barrier() {
  arriveAt(barriers[rank()], threads.x);
}

void barrierOfAll() {
  arriveAt(barrierOfBlocks, count());
}

void pause() {
  runNext();
}

const LaneWords* share(const unsigned* words, int count) {
  Warp& warp = warps[current / LANES];
  long mine = warp.exchanges;
  for (int i = 0; i < count; i++) {
    warp.words[mine & 1][thread.x % LANES][i] = words[i];
  }
  if (++warp.arrived == LANES) {
    warp.arrived = 0;
    warp.exchanges++;
  } else {
    while (warp.exchanges == mine) {
      runNext();
    }
  }
  return warp.words[mine & 1];
}

void launch(Kernel* kernel, const unsigned* config, void** parameters) {
  running = kernel;
  arguments = parameters;
  blocks = {(int)config[0], (int)config[1], (int)config[2]};
  threads = {(int)config[3], 1, 1};
  thread = {0, 0, 0};
  together = kernel->together;
  // Filled with what no kernel wrote: not a number.
  size_t each = (config[6] + 1023) / 1024 * 1024;
  std::vector<unsigned char> memory(each * together + 1024, 0xff);
  for (int i = 0; i < together; i++) {
    memories[i] = (unsigned char*)(((uintptr_t)memory.data() + 1023) / 1024 * 1024) + i * each;
  }
  for (int z = 0; z < blocks.z; z++) {
    for (int y = 0; y < blocks.y; y++) {
      for (firstBlock = 0; firstBlock < blocks.x; firstBlock += together) {
        block = {firstBlock, y, z};
        runBlocks();
      }
    }
  }
}
}  // namespace emulator

namespace {
constexpr int INVALID_VALUE = 1;
constexpr int NOT_FOUND = 500;
constexpr long CHUNK = 2l << 20;

std::recursive_mutex lock;
using Locked = std::unique_lock<std::recursive_mutex>;

struct Recorded {
  std::function<void()> work;
};
using Graph = std::vector<Recorded>;

Graph* capturing;
long capturedStream;

bool captures(long stream) {
  return capturing != nullptr && capturedStream == stream;
}

constexpr int ILLEGAL_ADDRESS = 700;
constexpr int NOT_READY = 600;
bool lost;

// Whether the device is lost, now or before.
bool isLost() {
  Locked locked(lock);
  static const char* file = getenv("WEFT_EMULATOR_LOSS");
  if (!lost && file != nullptr && unlink(file) == 0) {
    lost = true;
  }
  return lost;
}

// How often it was recorded, and how many of these the stream has come by; where the last is in its
// stream, and how often it was asked for.
struct Event {
  long recorded, passed, stream, point;
  int asked;
};
std::map<long, std::shared_ptr<Event>> events;

// What was submitted to a stream and has not run.
struct Submitted {
  std::function<void()> work;
  // What it waits for, where that is an event: so many of its recordings, the last at this point of
  // this stream.
  std::shared_ptr<Event> awaited;
  long record, stream, point;
};
struct Stream {
  bool held;
  std::deque<Submitted> left;
  long submitted, ran;
};
std::map<long, Stream> streams;

// Whether the next stream will be held, and whether who submits to it waits for its work.
bool holdsNext, holdsSubmitters;
// Pieces of work that held streams may still run.
long allowed;
bool late;
std::condition_variable_any ran;
long launches, strays;

bool runsAtOnce(long stream) {
  return !late && !streams[stream].held && streams[stream].left.empty();
}

void runNext(Stream& stream) {
  Submitted next = stream.left.front();
  stream.left.pop_front();
  stream.ran++;
  if (next.work) {
    next.work();
  }
}

// Runs what was submitted to a late stream before a point of it, and what that waits for.
void run(long handle, long end) {
  Stream& stream = streams[handle];
  while (stream.ran < end && !stream.left.empty()) {
    Submitted& next = stream.left.front();
    if (next.awaited != nullptr && next.awaited->passed < next.record) {
      run(next.stream, next.point);
    }
    runNext(stream);
  }
}

bool canRun(Stream& stream) {
  if (stream.left.empty() || (stream.held && allowed == 0)) {
    return false;
  }
  Submitted& next = stream.left.front();
  return next.awaited == nullptr || next.awaited->passed >= next.record;
}

// Runs what is not held.
void runAll() {
  for (bool found = true; found;) {
    found = false;
    for (auto& each : streams) {
      while (canRun(each.second)) {
        found = true;
        allowed -= each.second.held;
        runNext(each.second);
      }
    }
  }
  ran.notify_all();
}

bool anyWaits() {
  return std::any_of(streams.begin(), streams.end(),
                     [](auto& each) { return !each.second.left.empty(); });
}

void enqueue(Stream& stream, Submitted submitted) {
  stream.submitted++;
  stream.left.push_back(submitted);
  if (!late) {
    runAll();
  }
}

int submit(long stream, std::function<void()> work) {
  Locked locked(lock);
  if (isLost()) {
    return ILLEGAL_ADDRESS;
  }
  if (captures(stream)) {
    capturing->push_back({work});
  } else if (runsAtOnce(stream)) {
    work();
  } else {
    ran.wait(locked, [=]() { return !streams[stream].held || !holdsSubmitters || allowed > 0; });
    enqueue(streams[stream], {work});
  }
  return 0;
}

// The device's memory: what there is, and what has been allocated of it.
long memoryBytes = 1l << 32;
long usedBytes;
long mostHostBytes = 1l << 40;
long hostBytes;
std::map<void*, long> hostAllocated;
std::map<void*, long> allocated;
std::map<long, long> created;            // handle, bytes

constexpr int OUT_OF_MEMORY = 2;

// Whether there is so much, which is the caller's then.
bool take(long bytes) {
  if (usedBytes + bytes > memoryBytes) {
    return false;
  }
  usedBytes += bytes;
  return true;
}

std::map<long, long> ranges;             // address, bytes
std::map<long, std::pair<long, int>> mapped;  // address, (bytes, file)
std::set<long> accessible;

long handleOf(int file) {
  return file + 1l;
}
}  // namespace

#define API extern "C" int

// For tests: holds the next stream that is created, and who submits to it if that is asked for.
extern "C" long emulatorHold(bool submitters) {
  Locked locked(lock);
  holdsSubmitters = submitters;
  allowed = 0;
  return holdsNext = true, 0;
}

// For tests: lets held streams run so many pieces of work, and returns how many there were not; -1
// holds none any more.
extern "C" long emulatorRelease(long pieces) {
  Locked locked(lock);
  if (pieces < 0) {
    holdsNext = false;
    for (auto& each : streams) {
      each.second.held = false;
    }
  }
  allowed = std::max(0l, pieces);
  return runAll(), allowed;
}

// For tests: what the host has of memory that can be pinned, and what is pinned.
extern "C" long emulatorHostMemory(long bytes) {
  Locked locked(lock);
  return mostHostBytes = bytes, hostBytes;
}

// For tests: whether streams are late from now on.
extern "C" long emulatorLate(long yes) {
  Locked locked(lock);
  runAll();
  return late = yes != 0, 0;
}

// For tests: kernels that have begun, and copies to where no memory was.
extern "C" long emulatorLaunches() {
  Locked locked(lock);
  return launches;
}
extern "C" long emulatorStrays() {
  Locked locked(lock);
  return strays;
}

// For tests: what there is from now on, and what has been allocated.
extern "C" long emulatorMemory(long bytes) {
  Locked locked(lock);
  return memoryBytes = bytes, usedBytes;
}

API cuInit(unsigned) { return 0; }
API cuDriverGetVersion(int* version) { return *version = 13000, 0; }
API cuDeviceGetCount(int* count) { return *count = 1, 0; }
API cuDeviceGet(int* device, int ordinal) { return *device = 0, ordinal == 0 ? 0 : 101; }
API cuDeviceGetName(char* name, int size, int) { return strncpy(name, "emulated", size), 0; }
API cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = 1l << 32, 0; }
API cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == 75 ? 9 : attribute == 76 ? 0 : attribute == 16 ? 8 : 1;
  return 0;
}
API cuDevicePrimaryCtxRetain(long* context, int) { return *context = 1, 0; }
API cuDevicePrimaryCtxRelease_v2(int) { return 0; }
API cuCtxSetCurrent(long) { return 0; }
API cuCtxSynchronize() {
  Locked locked(lock);
  return runAll(), 0;
}
API cuModuleLoadData(long* module, const void*) { return *module = 1, 0; }
API cuModuleUnload(long) { return 0; }
API cuModuleGetFunction(emulator::Kernel** function, long, const char* name) {
  auto found = emulator::kernels().find(name);
  if (found == emulator::kernels().end()) {
    return NOT_FOUND;
  }
  *function = &found->second;
  return 0;
}
constexpr int MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;
std::map<emulator::Kernel*, int> sharedBytes;

API cuFuncSetAttribute(emulator::Kernel* kernel, int attribute, int value) {
  Locked locked(lock);
  if (attribute != MAX_DYNAMIC_SHARED_SIZE_BYTES || value > emulator::MOST_SHARED_BYTES) {
    return INVALID_VALUE;
  }
  sharedBytes[kernel] = value;
  return 0;
}

API cuLaunchKernelEx(const unsigned* config, emulator::Kernel* kernel, void** parameters, void**) {
  Locked locked(lock);
  if (isLost()) {
    return ILLEGAL_ADDRESS;
  }
  long stream = ((const long*)config)[4];
  for (int i = 0; i < 6; i++) {
    if (config[i] == 0) {
      return INVALID_VALUE;
    }
  }
  if (config[1] > 65535 || config[2] > 65535 || config[3] > emulator::MOST_THREADS ||
      config[3] % 32 != 0 || config[0] % kernel->together != 0 ||
      (int)config[6] > std::max(emulator::SHARED_BYTES, sharedBytes[kernel])) {
    return INVALID_VALUE;
  }
  std::vector<unsigned> launch(config, config + 7);
  if (!captures(stream) && runsAtOnce(stream)) {
    launches++;
    emulator::launch(kernel, launch.data(), parameters);
    return 0;
  }
  // Parameters are copied when a launch is submitted; they lie one after the other.
  char* first = (char*)parameters[0];
  std::vector<char> values(first, first + 512);
  std::vector<long> offsets;
  for (int i = 0; i < 16; i++) {
    offsets.push_back((char*)parameters[i] - first);
  }
  return submit(stream, [=]() {
    void* pointers[16];
    for (int i = 0; i < 16; i++) {
      pointers[i] = (char*)values.data() + offsets[i];
    }
    launches++;
    emulator::launch(kernel, launch.data(), pointers);
  });
}

API cuStreamCreate(long* stream, int) {
  static long count;
  Locked locked(lock);
  streams[++count].held = holdsNext;
  holdsNext = false;
  return *stream = count, 0;
}
API cuStreamDestroy_v2(long stream) {
  Locked locked(lock);
  if (late) {
    run(stream, streams[stream].submitted);
  }
  if (streams[stream].left.empty()) {
    streams.erase(stream);
  }
  return 0;
}
API cuStreamSynchronize(long stream) {
  Locked locked(lock);
  if (isLost()) {
    return ILLEGAL_ADDRESS;
  }
  if (captures(stream)) {
    return 900;
  }
  if (late) {
    run(stream, streams[stream].submitted);
  }
  ran.wait(locked, [=]() { return streams[stream].left.empty(); });
  return 0;
}
API cuStreamWaitEvent(long stream, long event, int) {
  Locked locked(lock);
  if (captures(stream)) {
    return 905;
  }
  std::shared_ptr<Event> of = events[event];
  return enqueue(streams[stream], {nullptr, of, of->recorded, of->stream, of->point}), 0;
}
API cuStreamBeginCapture_v2(long stream, int) {
  Locked locked(lock);
  if (capturing != nullptr) {
    return 901;
  }
  capturing = new Graph();
  capturedStream = stream;
  return 0;
}
API cuStreamEndCapture(long, Graph** graph) {
  Locked locked(lock);
  *graph = capturing;
  capturing = nullptr;
  return 0;
}
API cuGraphInstantiateWithFlags(Graph** executable, Graph* graph, long) {
  *executable = new Graph(*graph);
  return 0;
}
API cuGraphLaunch(Graph* executable, long stream) {
  Locked locked(lock);
  if (!runsAtOnce(stream)) {
    for (Recorded& each : *executable) {
      submit(stream, each.work);
    }
    return 0;
  }
  if (isLost()) {
    return ILLEGAL_ADDRESS;
  }
  for (Recorded& each : *executable) {
    each.work();
  }
  return 0;
}
API cuGraphDestroy(Graph* graph) { return delete graph, 0; }
API cuGraphExecDestroy(Graph* executable) {
  Locked locked(lock);
  return runAll(), delete executable, 0;
}

API cuEventCreate(long* event, int) {
  static long count;
  Locked locked(lock);
  events[++count] = std::make_shared<Event>();
  return *event = count, 0;
}
API cuEventDestroy_v2(long event) {
  Locked locked(lock);
  return events.erase(event) == 1 ? 0 : INVALID_VALUE;
}
API cuEventRecord(long event, long stream) {
  Locked locked(lock);
  std::shared_ptr<Event> its = events[event];
  long record = ++its->recorded;
  its->asked = 0;
  its->stream = stream;
  its->point = streams[stream].submitted + 1;
  locked.unlock();
  return submit(stream, [=]() { its->passed = record; });
}
API cuEventSynchronize(long event) {
  Locked locked(lock);
  if (isLost()) {
    return ILLEGAL_ADDRESS;
  }
  std::shared_ptr<Event> its = events[event];
  if (late) {
    run(its->stream, its->point);
  }
  ran.wait(locked, [=]() { return its->passed >= its->recorded; });
  return 0;
}
// Of a late stream it has come to pass when it is asked for the third time.
API cuEventQuery(long event) {
  Locked locked(lock);
  if (isLost()) {
    return ILLEGAL_ADDRESS;
  }
  std::shared_ptr<Event> its = events[event];
  if (late && its->passed < its->recorded && ++its->asked == 3) {
    run(its->stream, its->point);
  }
  return its->passed >= its->recorded ? 0 : NOT_READY;
}
API cuEventElapsedTime(float* millis, long, long) { return *millis = 1, 0; }

API cuMemAlloc_v2(void** address, size_t bytes) {
  if (bytes == 0) {
    return INVALID_VALUE;
  }
  if (isLost()) {
    return ILLEGAL_ADDRESS;
  }
  Locked locked(lock);
  if (!take((long)bytes)) {
    return OUT_OF_MEMORY;
  }
  *address = aligned_alloc(256, (bytes + 255) / 256 * 256);
  memset(*address, 0xff, bytes);
  allocated[*address] = (long)bytes;
  return 0;
}
API cuMemFree_v2(void* address) {
  Locked locked(lock);
  runAll();
  auto found = allocated.find(address);
  if (found == allocated.end()) {
    return INVALID_VALUE;
  }
  usedBytes -= found->second;
  allocated.erase(found);
  return free(address), 0;
}
API cuMemHostAlloc(void** address, size_t bytes, int) {
  Locked locked(lock);
  if (bytes == 0) {
    return INVALID_VALUE;
  }
  if (hostBytes + (long)bytes > mostHostBytes) {
    return OUT_OF_MEMORY;
  }
  *address = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  hostAllocated[*address] = (long)bytes;
  return hostBytes += (long)bytes, 0;
}
API cuMemFreeHost(void* address) {
  Locked locked(lock);
  runAll();
  auto found = hostAllocated.find(address);
  if (found == hostAllocated.end()) {
    return INVALID_VALUE;
  }
  hostBytes -= found->second;
  hostAllocated.erase(found);
  return free(address), 0;
}
API cuMemGetInfo_v2(size_t* free, size_t* total) {
  Locked locked(lock);
  return *free = memoryBytes - usedBytes, *total = memoryBytes, 0;
}
API cuMemcpyHtoD_v2(void* to, const void* from, size_t bytes) { return memcpy(to, from, bytes), 0; }
API cuMemcpyDtoH_v2(void* to, const void* from, size_t bytes) { return memcpy(to, from, bytes), 0; }
// Whether a copy that was held back still has where to go.
bool isAllocated(void* to, size_t bytes) {
  auto after = allocated.upper_bound(to);
  return after != allocated.begin() &&
         (char*)to + bytes <= (char*)std::prev(after)->first + std::prev(after)->second;
}

API cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t bytes, long stream) {
  Locked locked(lock);
  bool held = streams[stream].held;
  locked.unlock();
  return submit(stream, [=]() {
    if (held && !isAllocated(to, bytes)) {
      strays++;
    } else {
      memcpy(to, from, bytes);
    }
  });
}
API cuMemcpyDtoHAsync_v2(void* to, const void* from, size_t bytes, long stream) {
  return submit(stream, [=]() { memcpy(to, from, bytes); });
}
API cuMemcpyDtoDAsync_v2(void* to, const void* from, size_t bytes, long stream) {
  return submit(stream, [=]() { memmove(to, from, bytes); });
}
API cuMemsetD8Async(void* at, unsigned char value, size_t bytes, long stream) {
  return submit(stream, [=]() { memset(at, value, bytes); });
}

API cuMemCreate(long* handle, size_t bytes, const int* properties, long) {
  if (bytes % CHUNK != 0 || properties[0] != 1 || properties[2] != 1 || properties[3] != 0) {
    return INVALID_VALUE;
  }
  Locked locked(lock);
  if (!take((long)bytes)) {
    return OUT_OF_MEMORY;
  }
  int file = memfd_create("chunk", 0);
  if (file < 0 || ftruncate(file, (long)bytes) != 0) {
    return OUT_OF_MEMORY;
  }
  *handle = handleOf(file);
  created[*handle] = (long)bytes;
  return 0;
}
API cuMemRelease(long handle) {
  Locked locked(lock);
  auto found = created.find(handle);
  if (found == created.end()) {
    return INVALID_VALUE;
  }
  usedBytes -= found->second;
  created.erase(found);
  return close((int)handle - 1), 0;
}

API cuMemAddressReserve(long* address, size_t bytes, size_t alignment, long, long) {
  Locked locked(lock);
  if (bytes % CHUNK != 0) {
    return INVALID_VALUE;
  }
  char* whole = (char*)mmap(nullptr, bytes + alignment, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  long at = ((long)whole + (long)alignment - 1) / (long)alignment * (long)alignment;
  ranges[at] = (long)bytes;
  return *address = at, 0;
}
API cuMemAddressFree(long address, size_t bytes) {
  Locked locked(lock);
  auto found = ranges.find(address);
  auto inside = mapped.lower_bound(address);
  if (found == ranges.end() || found->second != (long)bytes ||
      (inside != mapped.end() && inside->first < address + (long)bytes)) {
    return INVALID_VALUE;
  }
  ranges.erase(found);
  return munmap((void*)address, bytes);
}
API cuMemMap(long address, size_t bytes, size_t, long handle, long) {
  Locked locked(lock);
  for (auto& each : mapped) {
    if (each.first == address || each.second.second == (int)handle - 1) {
      return INVALID_VALUE;
    }
  }
  mapped[address] = {(long)bytes, (int)handle - 1};
  return 0;
}
API cuMemSetAccess(long address, size_t bytes, const int* access, long count) {
  Locked locked(lock);
  if (access[0] != 1 || access[2] != 3 || count != 1) {
    return INVALID_VALUE;
  }
  for (long at = address; at < address + (long)bytes; at += CHUNK) {
    auto found = mapped.find(at);
    if (found == mapped.end()) {
      return INVALID_VALUE;
    }
    mmap((void*)at, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, found->second.second, 0);
  }
  return 0;
}
API cuMemUnmap(long address, size_t bytes) {
  Locked locked(lock);
  // Nobody waits for what may use it.
  if (late && anyWaits()) {
    return ILLEGAL_ADDRESS;
  }
  for (long at = address; at < address + (long)bytes; at += CHUNK) {
    if (mapped.erase(at) == 0) {
      return INVALID_VALUE;
    }
    mmap((void*)at, CHUNK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  }
  return 0;
}

// CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, CU_TENSOR_MAP_SWIZZLE_128B
constexpr int BFLOAT16 = 9;
constexpr int SWIZZLE_128B = 3;
constexpr unsigned MOST_BOX = 256;

API cuTensorMapEncodeTiled(TensorMap* map, int type, unsigned rank, const unsigned char* address,
                           const long* sizes, const long* strides, const unsigned* box,
                           const unsigned* steps, int interleave, int swizzle, int, int fill) {
  if ((uintptr_t)map % 64 != 0 || type != BFLOAT16 || rank < 2 ||
      rank > TensorMap::MOST_DIMENSIONS || (uintptr_t)address % 16 != 0 || interleave != 0 ||
      swizzle != SWIZZLE_128B || fill != 0 || box[0] * 2 > 128) {
    return INVALID_VALUE;
  }
  *map = {address, (int)rank, {}, {}, {}};
  for (unsigned i = 0; i < rank; i++) {
    if (sizes[i] == 0 || box[i] == 0 || box[i] > MOST_BOX || steps[i] != 1 ||
        (i > 0 && strides[i - 1] % 16 != 0)) {
      return INVALID_VALUE;
    }
    map->sizes[i] = sizes[i];
    map->box[i] = (int)box[i];
    map->strides[i] = i == 0 ? 2 : strides[i - 1];
  }
  return 0;
}

API cuGetErrorName(int status, const char** text) {
  return *text = status == ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_EMULATED", 0;
}
API cuGetErrorString(int, const char** text) { return *text = "refused by the emulator", 0; }
