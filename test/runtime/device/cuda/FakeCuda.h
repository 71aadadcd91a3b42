// A pretend GPU: CUDA's runtime for tests, in host memory. What is enqueued
// runs late and in any order that streams and events allow, so that a missing
// wait shows as a wrong number. Captures are checked as CUDA checks them.
#ifndef ORRERY_TEST_RUNTIME_DEVICE_CUDA_FAKECUDA_H
#define ORRERY_TEST_RUNTIME_DEVICE_CUDA_FAKECUDA_H

#include <cstddef>
#include <cstdint>
#include <cuda_runtime_api.h>
#include <functional>
#include <string>

namespace orrery::fakecuda {

/// The order is a function of the seed.
void setSeed(uint32_t seed);

/// Adds work to a stream, or to the graph that it is captured into.
cudaError_t enqueue(cudaStream_t stream, std::function<void()> work);

/// A kernel by name: `run` gets its parameters, 8 bytes each.
void addKernel(const std::string &name, int parameters,
               void (*run)(const uint64_t *parameters));

/// Launches of graphs so far.
int graphLaunches();
/// Actions between which some order was free to choose: 0 says that the test
/// tests nothing.
int64_t freeChoices();
/// Device and page-locked allocations that live.
size_t liveAllocations();

} // namespace orrery::fakecuda

#endif // ORRERY_TEST_RUNTIME_DEVICE_CUDA_FAKECUDA_H
