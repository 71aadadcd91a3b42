// Meetings, and passes over parts in packs of 16 bytes. Writes to another GPU
// wait for nothing; reads take some microseconds, so that many have to be in
// flight to fill a link.
#include "kernels/cuda/Elements.cuh"
#include "kernels/cuda/Peers.h"

#include <algorithm>

namespace orrery::kernels::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int64_t kMostBlocks = 132;
constexpr int kInFlight = 8; // packs of a thread

__global__ void meet(PeerFlags flags) {
  const int member = static_cast<int>(threadIdx.x);
  const uint32_t round = *flags.round + 1;
  __syncwarp(); // all have read it
  if (member < flags.members && member != flags.self) {
    asm volatile("st.release.sys.global.u32 [%0], %1;" ::"l"(
                     flags.words[member] + flags.self),
                 "r"(round)
                 : "memory");
    const uint32_t *own = flags.words[flags.self] + member;
    uint32_t seen;
    do
      asm volatile("ld.acquire.sys.global.u32 %0, [%1];"
                   : "=r"(seen)
                   : "l"(own)
                   : "memory");
    while (static_cast<int32_t>(seen - round) < 0);
  }
  if (member == 0)
    *flags.round = round;
}

// Packs of N elements; with `Same` every member gets the same part. Every block
// begins with another member.
template <typename T, int N, bool Same>
__global__ void __launch_bounds__(kThreads)
    send(const T *in, int64_t distance, PeerPlaces to, int64_t packs) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  const int64_t thread =
      static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  // The packs from `first` on that are in flight at once, of `turns` members.
  auto sendFrom = [&](int64_t first, int turn, int turns) {
    auto memberAt = [&](int k) {
      return static_cast<int>((to.self + 1 + k + blockIdx.x) % to.members);
    };
    const T *from = in + memberAt(turn) * distance;
    Pack<T, N> pack[kInFlight];
#pragma unroll
    for (int k = 0; k < kInFlight; ++k)
      if (first + k * step < packs)
        pack[k] = Pack<T, N>::load(from + (first + k * step) * N);
    for (int member = turn; member < turns; ++member) {
      T *out = reinterpret_cast<T *>(to.place[memberAt(member)]);
      if (out == from)
        continue;
#pragma unroll
      for (int k = 0; k < kInFlight; ++k)
        if (first + k * step < packs)
          pack[k].store(out + (first + k * step) * N);
    }
  };
  for (int turn = 0; turn < (Same ? 1 : to.members); ++turn)
    for (int64_t i = thread; i < packs; i += kInFlight * step)
      sendFrom(i, turn, Same ? to.members : turn + 1);
}

// What elements are added in.
template <typename T> struct WideOf {
  using Type = float;
};
template <> struct WideOf<double> {
  using Type = double;
};
template <> struct WideOf<int32_t> {
  using Type = int32_t;
};
template <> struct WideOf<int64_t> {
  using Type = int64_t;
};

template <typename T> __device__ typename WideOf<T>::Type widen(T x) {
  if constexpr (std::is_same_v<typename WideOf<T>::Type, float>)
    return toFloat(x);
  else
    return x;
}
template <typename T> __device__ T narrow(typename WideOf<T>::Type x) {
  if constexpr (std::is_same_v<typename WideOf<T>::Type, float>)
    return fromFloat<T>(x);
  else
    return x;
}

template <bool Max, typename W> __device__ W combine(W a, W b) {
  if constexpr (!Max)
    return a + b;
  else // NaN wins, as in a sum
    return a != a || a > b ? a : b;
}

// The sums of `Packs` packs that lie `step` apart, of groups of `Members`
// members, the last of which may be smaller.
template <typename T, int N, bool Max, int Members, int Packs>
__device__ void sumPacks(const PeerPlaces &parts, T *out, int64_t first,
                         int64_t step) {
  using Wide = typename WideOf<T>::Type;
  Wide sum[Packs][N];
  for (int base = 0; base < parts.members; base += Members) {
    Pack<T, N> pack[Packs][Members];
#pragma unroll
    for (int m = 0; m < Members; ++m)
      if (base + m < parts.members)
#pragma unroll
        for (int k = 0; k < Packs; ++k)
          pack[k][m] = Pack<T, N>::load(
              reinterpret_cast<const T *>(parts.place[base + m]) +
              (first + k * step) * N);
#pragma unroll
    for (int m = 0; m < Members; ++m)
      if (base + m < parts.members)
#pragma unroll
        for (int k = 0; k < Packs; ++k)
#pragma unroll
          for (int j = 0; j < N; ++j) {
            const Wide value = widen(pack[k][m].values[j]);
            sum[k][j] =
                base + m == 0 ? value : combine<Max, Wide>(sum[k][j], value);
          }
  }
#pragma unroll
  for (int k = 0; k < Packs; ++k) {
    Pack<T, N> result;
#pragma unroll
    for (int j = 0; j < N; ++j)
      result.values[j] = narrow<T>(sum[k][j]);
    result.store(out + (first + k * step) * N);
  }
}

template <typename T, int N, bool Max, int Members>
__global__ void __launch_bounds__(kThreads)
    sumAll(PeerPlaces parts, T *out, int64_t packs) {
  constexpr int kPacks = kInFlight / Members;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  for (; i + (kPacks - 1) * step < packs; i += kPacks * step)
    sumPacks<T, N, Max, Members, kPacks>(parts, out, i, step);
  for (; i < packs; i += step)
    sumPacks<T, N, Max, Members, 1>(parts, out, i, step);
}

int blocksFor(int64_t packs, int64_t most) {
  return static_cast<int>(std::min(most, (packs + kThreads - 1) / kThreads));
}

template <typename T, int N, bool Max>
cudaError_t launchSum(const PeerPlaces &parts, T *out, int64_t count,
                      cudaStream_t stream) {
  const int64_t packs = count / N;
  const int blocks = blocksFor(packs, kMostBlocks);
  if (packs == 0)
    return cudaSuccess;
  if (parts.members <= 2)
    sumAll<T, N, Max, 2><<<blocks, kThreads, 0, stream>>>(parts, out, packs);
  else
    sumAll<T, N, Max, 4><<<blocks, kThreads, 0, stream>>>(parts, out, packs);
  return cudaGetLastError();
}

int alignmentOf(const PeerPlaces &places, const void *other) {
  CommonAlignment alignment;
  alignment.add(other);
  for (int m = 0; m < places.members; ++m)
    alignment.add(places.place[m]);
  return alignment.bytes();
}

// Without the first bytes.
PeerPlaces skip(PeerPlaces places, int64_t bytes) {
  for (int m = 0; m < places.members; ++m)
    places.place[m] += bytes;
  return places;
}

// Packs, and what is left behind the last one element by element.
template <typename T, bool Max>
cudaError_t sum(const PeerPlaces &parts, T *out, int64_t count,
                cudaStream_t stream) {
  constexpr int N = kPackSize<T>;
  if (alignmentOf(parts, out) < 16)
    return launchSum<T, 1, Max>(parts, out, count, stream);
  const int64_t whole = count / N * N;
  cudaError_t error = launchSum<T, N, Max>(parts, out, whole, stream);
  if (error != cudaSuccess || whole == count)
    return error;
  return launchSum<T, 1, Max>(skip(parts, whole * sizeof(T)), out + whole,
                              count - whole, stream);
}

template <int N>
cudaError_t launchSend(const uint16_t *in, int64_t distance,
                       const PeerPlaces &to, int64_t count,
                       cudaStream_t stream) {
  const int64_t packs = count / N;
  const int blocks = blocksFor(packs, kMostBlocks);
  if (packs == 0)
    return cudaSuccess;
  if (distance == 0)
    send<uint16_t, N, true>
        <<<blocks, kThreads, 0, stream>>>(in, distance, to, packs);
  else
    send<uint16_t, N, false>
        <<<blocks, kThreads, 0, stream>>>(in, distance, to, packs);
  return cudaGetLastError();
}

} // namespace

cudaError_t meetPeers(const PeerFlags &flags, cudaStream_t stream) {
  meet<<<1, 32, 0, stream>>>(flags);
  return cudaGetLastError();
}

cudaError_t sendParts(const void *in, int64_t distance, const PeerPlaces &to,
                      int64_t bytes, cudaStream_t stream) {
  constexpr int N = kPackSize<uint16_t>;
  const auto *from = static_cast<const uint16_t *>(in);
  const int64_t count = bytes / 2, apart = distance / 2;
  if (alignmentOf(to, in) < 16 || distance % 16)
    return launchSend<1>(from, apart, to, count, stream);
  const int64_t whole = count / N * N;
  cudaError_t error = launchSend<N>(from, apart, to, whole, stream);
  if (error != cudaSuccess || whole == count)
    return error;
  return launchSend<1>(from + whole, apart, skip(to, whole * 2), count - whole,
                       stream);
}

cudaError_t sumParts(ElementType type, const PeerPlaces &parts, void *out,
                     int64_t count, bool max, cudaStream_t stream) {
  auto run = [&](auto value) {
    using T = decltype(value);
    return max ? sum<T, true>(parts, static_cast<T *>(out), count, stream)
               : sum<T, false>(parts, static_cast<T *>(out), count, stream);
  };
  switch (type) {
  case ElementType::F64:
    return run(double());
  case ElementType::I32:
    return run(int32_t());
  case ElementType::I64:
    return run(int64_t());
  default:
    return withFloatType(type, run);
  }
}

} // namespace orrery::kernels::cuda
