// Streams, events and graphs of the pretend GPU.
#include "test/runtime/device/cuda/FakeCuda.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace orrery::fakecuda {
namespace {

struct Work {
  std::function<void()> run;
  std::vector<std::shared_ptr<Work>> after;
  bool done = false;
  std::chrono::steady_clock::time_point at;
};
using WorkPointer = std::shared_ptr<Work>;

struct Graph {
  std::vector<WorkPointer> nodes;
};

struct Stream {
  std::vector<WorkPointer> last; // what the next work comes behind
  Graph *capture = nullptr;
};

struct Event {
  WorkPointer work; // null: never recorded
  std::vector<WorkPointer> captured;
  Graph *capture = nullptr;
};

struct Kernel {
  std::string name;
  int parameters;
  void (*run)(const uint64_t *);
};

// Everything there is; tests use one thread at a time.
struct Gpu {
  std::mt19937 random{1};
  std::vector<WorkPointer> pending;
  std::set<Stream *> streams;
  std::map<std::string, std::unique_ptr<Kernel>> kernels;
  std::map<void *, size_t> memory;
  Stream defaultStream;
  int launches = 0;
  int64_t choices = 0;

  // Runs one piece of work that nothing holds up.
  bool runOne() {
    std::vector<size_t> ready;
    for (size_t i = 0; i < pending.size(); ++i)
      if (std::all_of(pending[i]->after.begin(), pending[i]->after.end(),
                      [](const WorkPointer &w) { return w->done; }))
        ready.push_back(i);
    if (ready.empty())
      return false;
    choices += ready.size() > 1;
    const size_t chosen = ready[random() % ready.size()];
    const WorkPointer work = pending[chosen];
    pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(chosen));
    if (work->run)
      work->run();
    work->after.clear();
    work->at = std::chrono::steady_clock::now();
    work->done = true;
    return true;
  }
  cudaError_t runUntil(const std::function<bool()> &reached) {
    while (!reached())
      if (!runOne())
        return cudaErrorUnknown; // a circle
    return cudaSuccess;
  }
};

Gpu &gpu() {
  static Gpu instance;
  return instance;
}

Stream &streamOf(cudaStream_t stream) {
  return stream ? *reinterpret_cast<Stream *>(stream) : gpu().defaultStream;
}

Event &eventOf(cudaEvent_t event) { return *reinterpret_cast<Event *>(event); }

WorkPointer add(Stream &stream, std::function<void()> run) {
  auto work = std::make_shared<Work>();
  work->run = std::move(run);
  work->after = stream.last;
  stream.last = {work};
  (stream.capture ? stream.capture->nodes : gpu().pending).push_back(work);
  return work;
}

bool allDone(const std::vector<WorkPointer> &works) {
  return std::all_of(works.begin(), works.end(),
                     [](const WorkPointer &w) { return w->done; });
}

} // namespace

void setSeed(uint32_t seed) { gpu().random.seed(seed); }

cudaError_t enqueue(cudaStream_t stream, std::function<void()> work) {
  add(streamOf(stream), std::move(work));
  return cudaSuccess;
}

void addKernel(const std::string &name, int parameters,
               void (*run)(const uint64_t *)) {
  gpu().kernels[name] = std::make_unique<Kernel>(Kernel{name, parameters, run});
}

int graphLaunches() { return gpu().launches; }
int64_t freeChoices() { return gpu().choices; }
size_t liveAllocations() { return gpu().memory.size(); }

} // namespace orrery::fakecuda

using namespace orrery::fakecuda;

extern "C" {

// Streams and events.

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned) {
  Stream *stream = new Stream();
  gpu().streams.insert(stream);
  *out = reinterpret_cast<cudaStream_t>(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t *out, unsigned, int) {
  return cudaStreamCreateWithFlags(out, 0);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  gpu().streams.erase(&streamOf(stream));
  delete &streamOf(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return cudaStreamSynchronize(stream);
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  Stream &own = streamOf(stream);
  if (own.capture)
    return cudaErrorStreamCaptureUnsupported;
  return gpu().runUntil([&] { return allDone(own.last); });
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event,
                                unsigned) {
  Stream &own = streamOf(stream);
  const Event &awaited = eventOf(event);
  if (awaited.capture) {
    if (own.capture && own.capture != awaited.capture)
      return cudaErrorStreamCaptureMerge;
    if (!own.capture)
      own.last.clear(); // joins the capture
    own.capture = awaited.capture;
    own.last.insert(own.last.end(), awaited.captured.begin(),
                    awaited.captured.end());
    return cudaSuccess;
  }
  if (own.capture)
    return cudaErrorStreamCaptureIsolation;
  if (awaited.work)
    own.last.push_back(awaited.work);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned) {
  *event = reinterpret_cast<cudaEvent_t>(new Event());
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete &eventOf(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  Stream &own = streamOf(stream);
  Event &recorded = eventOf(event);
  recorded = Event();
  if (own.capture) {
    recorded.capture = own.capture;
    recorded.captured = own.last;
  } else {
    recorded.work = add(own, nullptr);
  }
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const Event &own = eventOf(event);
  if (own.capture)
    return cudaErrorCapturedEvent;
  if (!own.work || own.work->done)
    return cudaSuccess;
  return gpu().runOne() ? cudaErrorNotReady : cudaErrorUnknown;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Event &own = eventOf(event);
  return gpu().runUntil([&] { return !own.work || own.work->done; });
}
cudaError_t cudaEventElapsedTime(float *out, cudaEvent_t from, cudaEvent_t to) {
  const Event &begin = eventOf(from), &end = eventOf(to);
  if (!begin.work || !end.work || !begin.work->done || !end.work->done)
    return cudaErrorNotReady;
  *out = std::chrono::duration<float, std::milli>(end.work->at - begin.work->at)
             .count();
  return cudaSuccess;
}

// Graphs.

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  Stream &own = streamOf(stream);
  if (own.capture)
    return cudaErrorIllegalState;
  own.capture = new Graph();
  own.last.clear();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out) {
  Stream &origin = streamOf(stream);
  Graph *graph = origin.capture;
  // Everything must lead to the origin's end.
  std::set<Work *> joined;
  std::vector<WorkPointer> open = origin.last;
  while (!open.empty()) {
    const WorkPointer work = open.back();
    open.pop_back();
    if (joined.insert(work.get()).second)
      open.insert(open.end(), work->after.begin(), work->after.end());
  }
  for (Stream *other : gpu().streams)
    if (other->capture == graph) {
      other->capture = nullptr;
      other->last.clear();
    }
  *out = reinterpret_cast<cudaGraph_t>(graph);
  return joined.size() == graph->nodes.size() ? cudaSuccess
                                              : cudaErrorStreamCaptureUnjoined;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete reinterpret_cast<Graph *>(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph,
                                 unsigned long long) {
  *out = reinterpret_cast<cudaGraphExec_t>(
      new Graph(*reinterpret_cast<Graph *>(graph)));
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete reinterpret_cast<Graph *>(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) {
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  Stream &own = streamOf(stream);
  std::map<Work *, WorkPointer> copies;
  const std::vector<WorkPointer> before = own.last;
  std::vector<WorkPointer> all;
  for (const WorkPointer &node : reinterpret_cast<Graph *>(exec)->nodes) {
    auto copy = std::make_shared<Work>();
    copy->run = node->run;
    copy->after = before;
    for (const WorkPointer &awaited : node->after)
      copy->after.push_back(copies.at(awaited.get()));
    copies[node.get()] = copy;
    all.push_back(copy);
    gpu().pending.push_back(copy);
  }
  own.last.insert(own.last.end(), all.begin(), all.end());
  add(own, nullptr);
  ++gpu().launches;
  return cudaSuccess;
}

// Memory.

cudaError_t cudaMalloc(void **out, size_t bytes) {
  *out = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(*out, 0xcd, bytes); // nobody may rely on zeroes
  gpu().memory[*out] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void *memory) {
  while (gpu().runOne())
    ;
  gpu().memory.erase(memory);
  std::free(memory);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void **out, size_t bytes) {
  return cudaMalloc(out, bytes);
}
cudaError_t cudaFreeHost(void *memory) { return cudaFree(memory); }
cudaError_t cudaMemGetInfo(size_t *free, size_t *total) {
  size_t taken = size_t(1) << 28; // a context
  for (const auto &[memory, bytes] : gpu().memory)
    taken += bytes;
  *total = size_t(8) << 30;
  *free = *total - taken;
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes,
                            cudaMemcpyKind, cudaStream_t stream) {
  return enqueue(stream, [=] { std::memcpy(to, from, bytes); });
}
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes,
                            cudaStream_t stream) {
  return enqueue(stream, [=] { std::memset(to, value, bytes); });
}
cudaError_t cudaMemset(void *to, int value, size_t bytes) {
  return cudaMemsetAsync(to, value, bytes, nullptr);
}
cudaError_t cudaDeviceSynchronize() {
  while (gpu().runOne())
    ;
  return cudaSuccess;
}

// No memory is shown to other processes.
cudaError_t cudaIpcGetMemHandle(cudaIpcMemHandle_t *, void *) {
  return cudaErrorNotSupported;
}
cudaError_t cudaIpcOpenMemHandle(void **, cudaIpcMemHandle_t, unsigned) {
  return cudaErrorNotSupported;
}
cudaError_t cudaIpcCloseMemHandle(void *) { return cudaErrorNotSupported; }

// Kernels.

cudaError_t cudaLibraryLoadData(cudaLibrary_t *out, const void *,
                                cudaJitOption *, void **, unsigned,
                                cudaLibraryOption *, void **, unsigned) {
  *out = reinterpret_cast<cudaLibrary_t>(&gpu());
  return cudaSuccess;
}
cudaError_t cudaLibraryUnload(cudaLibrary_t) { return cudaSuccess; }
cudaError_t cudaLibraryGetKernel(cudaKernel_t *out, cudaLibrary_t,
                                 const char *name) {
  const auto found = gpu().kernels.find(name);
  if (found == gpu().kernels.end())
    return cudaErrorSymbolNotFound;
  *out = reinterpret_cast<cudaKernel_t>(found->second.get());
  return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *out,
                                                          const void *, int,
                                                          size_t) {
  *out = 2;
  return cudaSuccess;
}
cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block,
                             void **parameters, size_t, cudaStream_t stream) {
  const Kernel &kernel = *static_cast<const Kernel *>(function);
  if (grid.x < 1 || block.x < 1 || block.x > 1024)
    return cudaErrorInvalidConfiguration;
  std::vector<uint64_t> values(static_cast<size_t>(kernel.parameters));
  for (size_t i = 0; i < values.size(); ++i)
    std::memcpy(&values[i], parameters[i], 8);
  return enqueue(stream, [values, run = kernel.run] { run(values.data()); });
}

// The device.

cudaError_t cudaGetDeviceCount(int *out) {
  *out = 1;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int *out) {
  *out = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int *out) {
  *out = 0;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  return device == 0 ? cudaSuccess : cudaErrorInvalidDevice;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int) {
  *out = {};
  std::strcpy(out->name, "pretend GPU");
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int *out, cudaDeviceAttr attribute, int) {
  *out = attribute == cudaDevAttrComputeCapabilityMajor   ? 8
         : attribute == cudaDevAttrComputeCapabilityMinor ? 0
                                                          : 4;
  return cudaSuccess;
}
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char *cudaGetErrorName(cudaError_t) { return "pretended"; }
const char *cudaGetErrorString(cudaError_t) { return "an error"; }
}
