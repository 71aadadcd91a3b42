// Collectives over device memory against sums written out on the host, and
// along dimensions against the host's DimensionCollective over MPI.
#include "runtime/comm/nccl/DeviceCollective.h"
#include "test/runtime/comm/nccl/DeviceRanks.h"
#include "test/runtime/comm/nccl/Elements.h"

#include <cstring>

namespace orrery::runtime {
namespace {

using Kind = DimensionCollective::Kind;

const int64_t kCounts[] = {1, 3, 1000, 70001};

template <typename T>
absl::Status reductionsOf(const DeviceRank &r, plan::ElementType type) {
  for (Reduction reduction : {Reduction::Sum, Reduction::Max})
    for (int64_t count : kCounts) {
      auto whole = [&](int64_t i) { return reduced(r.size(), i, reduction); };
      auto part = [&](int64_t i) { return whole(r.rank() * count + i); };
      DeviceArray<T> in(elements<T>(r.rank(), count)), out(count);
      DeviceArray<T> wide(elements<T>(r.rank(), count * r.size())), own(count);
      RETURN_IF_ERROR(r.all.allReduce(in.data(), out.data(), count, type,
                                      reduction, r.stream));
      RETURN_IF_ERROR(r.all.allReduce(in.data(), in.data(), count, type,
                                      reduction, r.stream));
      RETURN_IF_ERROR(r.all.reduceScatter(wide.data(), own.data(), count, type,
                                          reduction, r.stream));
      RETURN_IF_ERROR(r.finish());
      expectElements(out, whole, "all-reduce");
      expectElements(in, whole, "all-reduce in place");
      expectElements(own, part, "reduce-scatter");
    }
  return absl::OkStatus();
}

TEST(DeviceGroup, ReducesF32) {
  EXPECT_ON_ALL_DEVICES(
      [](const DeviceRank &r) { return reductionsOf<float>(r, plan::F32); });
}
TEST(DeviceGroup, ReducesF16) {
  EXPECT_ON_ALL_DEVICES(
      [](const DeviceRank &r) { return reductionsOf<__half>(r, plan::F16); });
}
TEST(DeviceGroup, ReducesBf16) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) {
    return reductionsOf<__nv_bfloat16>(r, plan::BF16);
  });
}
TEST(DeviceGroup, ReducesF64) {
  EXPECT_ON_ALL_DEVICES(
      [](const DeviceRank &r) { return reductionsOf<double>(r, plan::F64); });
}
TEST(DeviceGroup, ReducesI32) {
  EXPECT_ON_ALL_DEVICES(
      [](const DeviceRank &r) { return reductionsOf<int32_t>(r, plan::I32); });
}
TEST(DeviceGroup, ReducesI64) {
  EXPECT_ON_ALL_DEVICES(
      [](const DeviceRank &r) { return reductionsOf<int64_t>(r, plan::I64); });
}

template <typename T>
absl::Status movesOf(const DeviceRank &r, plan::ElementType type) {
  for (int64_t count : kCounts) {
    DeviceArray<T> in(elements<T>(r.rank(), count)), out(count * r.size());
    DeviceArray<T> wide(elements<T>(r.rank(), count * r.size()));
    DeviceArray<T> exchanged(count * r.size()), place(count * r.size());
    T *own = place.data() + r.rank() * count;
    RETURN_IF_CUDA(
        cudaMemcpy(own, in.data(), in.bytes(), cudaMemcpyDeviceToDevice));
    RETURN_IF_CUDA(cudaDeviceSynchronize());
    RETURN_IF_ERROR(
        r.all.allGather(in.data(), out.data(), count, type, r.stream));
    RETURN_IF_ERROR(r.all.allGather(own, place.data(), count, type, r.stream));
    RETURN_IF_ERROR(
        r.all.allToAll(wide.data(), exchanged.data(), count, type, r.stream));
    RETURN_IF_ERROR(r.finish());
    auto gathered = [&](int64_t i) {
      return element(static_cast<int>(i / count), i % count);
    };
    expectElements(out, gathered, "all-gather");
    expectElements(place, gathered, "all-gather in place");
    expectElements(
        exchanged,
        [&](int64_t i) {
          return element(static_cast<int>(i / count),
                         r.rank() * count + i % count);
        },
        "all-to-all");
  }
  return absl::OkStatus();
}

TEST(DeviceGroup, MovesEveryWidth) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    RETURN_IF_ERROR(movesOf<float>(r, plan::F32));
    RETURN_IF_ERROR(movesOf<__nv_bfloat16>(r, plan::BF16));
    return movesOf<int64_t>(r, plan::I64);
  });
}

TEST(DeviceGroup, RefusesAnUnknownType) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    absl::Status status = r.all.allGather(
        nullptr, nullptr, 1, plan::ELEMENT_TYPE_UNSPECIFIED, r.stream);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return absl::OkStatus();
  });
}

// 2^31 + 5 elements of bytes 0x40 0x40, 3.0 in bf16.
TEST(DeviceGroup, CountsBeyondAnInt) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    const int64_t count = (int64_t(1) << 31) + 5;
    void *memory = nullptr;
    RETURN_IF_CUDA(cudaMalloc(&memory, count * 2));
    RETURN_IF_CUDA(cudaMemset(memory, 0x40, count * 2));
    RETURN_IF_CUDA(cudaDeviceSynchronize());
    RETURN_IF_ERROR(r.all.allReduce(memory, memory, count, plan::BF16,
                                    Reduction::Sum, r.stream));
    RETURN_IF_ERROR(r.finish());
    auto *values = static_cast<__nv_bfloat16 *>(memory);
    for (int64_t i : {int64_t(0), count / 2, count - 7, count - 1}) {
      __nv_bfloat16 value;
      RETURN_IF_CUDA(cudaMemcpy(&value, values + i, 2, cudaMemcpyDeviceToHost));
      EXPECT_EQ(toDouble(value), 3.0 * r.size()) << i;
    }
    return cuda(cudaFree(memory), "cudaFree");
  });
}

TEST(DeviceGroup, SumsHaveTheSameBitsEachTimeAndEverywhere) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    for (int64_t count : {1000, 1000003}) {
      DeviceArray<float> in(noise(r.rank(), count)), out(count);
      std::vector<float> first;
      for (int repeat = 0; repeat < 5; ++repeat) {
        RETURN_IF_ERROR(r.all.allReduce(in.data(), out.data(), count, plan::F32,
                                        Reduction::Sum, r.stream));
        RETURN_IF_ERROR(r.finish());
        std::vector<float> sum = out.get();
        if (repeat == 0)
          first = sum;
        EXPECT_EQ(std::memcmp(sum.data(), first.data(), out.bytes()), 0)
            << "repeat " << repeat;
      }
      std::vector<float> everywhere(count * r.size());
      RETURN_IF_ERROR(r.factory.world().allGather(
          first.data(), everywhere.data(), count, plan::F32));
      for (int m = 0; m < r.size(); ++m)
        EXPECT_EQ(std::memcmp(everywhere.data() + m * count, first.data(),
                              out.bytes()),
                  0)
            << "member " << m;
    }
    return absl::OkStatus();
  });
}

// One collective along dimensions, on the device and on the host.
template <typename T>
absl::Status sameAsHost(const DeviceRank &r, Kind kind, plan::ElementType type,
                        const std::vector<int64_t> &shape, int dimension,
                        int concat) {
  SCOPED_TRACE(testing::Message()
               << "kind " << static_cast<int>(kind) << " type " << type
               << " dimensions " << dimension << ", " << concat);
  int64_t count = 1, outCount;
  for (int64_t size : shape)
    count *= size;
  outCount = kind == Kind::AllGather       ? count * r.size()
             : kind == Kind::ReduceScatter ? count / r.size()
                                           : count;
  DimensionCollective host;
  RETURN_IF_ERROR(DimensionCollective::create(
      kind, Reduction::Sum, type, shape, dimension, concat, r.size(), host));
  DeviceCollective device;
  RETURN_IF_ERROR(DeviceCollective::create(r.all, kind, Reduction::Sum, type,
                                           shape, dimension, concat, device));
  std::vector<T> values = elements<T>(r.rank(), count), expected(outCount);
  std::vector<std::byte> hostScratch(host.scratchBytes());
  RETURN_IF_ERROR(host.run(r.factory.world(), values.data(), expected.data(),
                           hostScratch.data()));
  DeviceArray<T> in(values), out(outCount);
  DeviceArray<uint8_t> scratch(device.scratchBytes() + 1);
  RETURN_IF_CUDA(cudaDeviceSynchronize());
  RETURN_IF_ERROR(device.run(in.data(), out.data(), scratch.data(), r.stream));
  RETURN_IF_ERROR(r.finish());
  expectElements(out, [&](size_t i) { return toDouble(expected[i]); }, "out");
  return absl::OkStatus();
}

TEST(DeviceCollective, IsTheHostsAlongEveryDimension) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    const int64_t n = r.size();
    for (const std::vector<int64_t> &shape :
         {std::vector<int64_t>{n, 3 * n, 5 * n},
          std::vector<int64_t>{2 * n, n, 8 * n, n}})
      for (int d = 0; d < static_cast<int>(shape.size()); ++d) {
        RETURN_IF_ERROR(
            sameAsHost<float>(r, Kind::AllReduce, plan::F32, shape, d, 0));
        RETURN_IF_ERROR(
            sameAsHost<float>(r, Kind::AllGather, plan::F32, shape, d, 0));
        RETURN_IF_ERROR(
            sameAsHost<__half>(r, Kind::AllGather, plan::F16, shape, d, 0));
        RETURN_IF_ERROR(
            sameAsHost<double>(r, Kind::ReduceScatter, plan::F64, shape, d, 0));
        for (int c = 0; c < static_cast<int>(shape.size()); ++c)
          RETURN_IF_ERROR(sameAsHost<__nv_bfloat16>(r, Kind::AllToAll,
                                                    plan::BF16, shape, d, c));
      }
    return absl::OkStatus();
  });
}

// Pieces of all members' parts to their places in the whole, as a gather beside
// a product does it; also from the own place.
TEST(DeviceCollective, GathersPiecesToTheirPlaces) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    const int64_t pieces = 3, width = 40001, part = pieces * width;
    const int64_t shape[] = {1, width};
    DeviceCollective gather;
    RETURN_IF_ERROR(DeviceCollective::create(r.all, Kind::AllGather,
                                             Reduction::Sum, plan::BF16, shape,
                                             0, 0, gather));
    RETURN_IF_ERROR(gather.spread(part));
    EXPECT_EQ(gather.scratchBytes(), 0);
    DeviceArray<__nv_bfloat16> in(elements<__nv_bfloat16>(r.rank(), part));
    DeviceArray<__nv_bfloat16> out(part * r.size()), place(part * r.size());
    __nv_bfloat16 *own = place.data() + r.rank() * part;
    RETURN_IF_CUDA(
        cudaMemcpy(own, in.data(), in.bytes(), cudaMemcpyDeviceToDevice));
    RETURN_IF_CUDA(cudaDeviceSynchronize());
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const int64_t first = piece * width;
      RETURN_IF_ERROR(
          gather.run(in.data() + first, out.data() + first, nullptr, r.stream));
      RETURN_IF_ERROR(
          gather.run(own + first, place.data() + first, nullptr, r.stream));
    }
    RETURN_IF_ERROR(r.finish());
    auto gathered = [&](int64_t i) {
      return element(static_cast<int>(i / part), i % part);
    };
    expectElements(out, gathered, "gathered in pieces");
    expectElements(place, gathered, "gathered in place");
    return absl::OkStatus();
  });
}

// A gather, a scatter and an exchange along inner dimensions and a sum, twice,
// captured once; inputs change between replays.
TEST(DeviceCollective, ReplaysInAGraph) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    const int64_t n = r.size(), count = 3 * 2 * n * 5;
    const int64_t shape[] = {3, 2 * n, 5};
    DeviceCollective gather, scatter, sum;
    RETURN_IF_ERROR(DeviceCollective::create(r.all, Kind::AllGather,
                                             Reduction::Sum, plan::F32, shape,
                                             2, 0, gather));
    const int64_t wide[] = {3, 2 * n, 5 * n};
    RETURN_IF_ERROR(DeviceCollective::create(r.all, Kind::ReduceScatter,
                                             Reduction::Sum, plan::F32, wide, 2,
                                             0, scatter));
    RETURN_IF_ERROR(DeviceCollective::create(
        r.all, Kind::AllReduce, Reduction::Sum, plan::F32, shape, 0, 0, sum));
    DeviceArray<float> in(count), whole(count * n), back(count);
    DeviceArray<uint8_t> scratch(gather.scratchBytes() +
                                 scatter.scratchBytes() + 1);
    RETURN_IF_CUDA(cudaDeviceSynchronize());
    CapturedGraph graph;
    RETURN_IF_ERROR(graph.capture(r.stream, [&]() -> absl::Status {
      RETURN_IF_ERROR(
          gather.run(in.data(), whole.data(), scratch.data(), r.stream));
      RETURN_IF_ERROR(
          scatter.run(whole.data(), back.data(), scratch.data(), r.stream));
      return sum.run(back.data(), back.data(), scratch.data(), r.stream);
    }));
    for (int replay = 0; replay < 3; ++replay) {
      in.set(elements<float>(r.rank() + replay, count));
      RETURN_IF_CUDA(cudaDeviceSynchronize());
      RETURN_IF_ERROR(graph.launch(r.stream));
      RETURN_IF_ERROR(r.finish());
      // Every member scatters the same whole: back = n * in, then summed.
      auto expected = [&](int64_t i) {
        int result = 0;
        for (int m = 0; m < r.size(); ++m)
          result += r.size() * element(m + replay, i);
        return result;
      };
      expectElements(back, expected, "replayed");
    }
    return absl::OkStatus();
  });
}

// Two groups of the same ranks on two branches of a graph.
TEST(DeviceGroup, TwoGroupsRunSideBySideInAGraph) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    absl::StatusOr<DeviceGroup> second = r.nccl.createGroup(r.factory.world());
    RETURN_IF_ERROR(second.status());
    const int64_t count = 300007;
    DeviceArray<float> a(count), b(count), sumA(count), sumB(count);
    cudaStream_t side;
    cudaEvent_t fork, join;
    RETURN_IF_CUDA(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking));
    RETURN_IF_CUDA(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
    RETURN_IF_CUDA(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
    CapturedGraph graph;
    RETURN_IF_ERROR(graph.capture(r.stream, [&]() -> absl::Status {
      RETURN_IF_CUDA(cudaEventRecord(fork, r.stream));
      RETURN_IF_CUDA(cudaStreamWaitEvent(side, fork, 0));
      RETURN_IF_ERROR(second->allReduce(b.data(), sumB.data(), count, plan::F32,
                                        Reduction::Max, side));
      RETURN_IF_ERROR(r.all.allReduce(a.data(), sumA.data(), count, plan::F32,
                                      Reduction::Sum, r.stream));
      RETURN_IF_CUDA(cudaEventRecord(join, side));
      return cuda(cudaStreamWaitEvent(r.stream, join, 0), "join");
    }));
    for (int replay = 0; replay < 3; ++replay) {
      a.set(elements<float>(r.rank(), count));
      b.set(elements<float>(r.rank(), count));
      RETURN_IF_CUDA(cudaDeviceSynchronize());
      RETURN_IF_ERROR(graph.launch(r.stream));
      RETURN_IF_ERROR(r.finish());
      auto reducedBy = [&](Reduction reduction) {
        return [&r, reduction](int64_t i) {
          return reduced(r.size(), i, reduction);
        };
      };
      expectElements(sumA, reducedBy(Reduction::Sum), "sum");
      expectElements(sumB, reducedBy(Reduction::Max), "maximum");
    }
    RETURN_IF_CUDA(cudaEventDestroy(fork));
    RETURN_IF_CUDA(cudaEventDestroy(join));
    return cuda(cudaStreamDestroy(side), "cudaStreamDestroy");
  });
}

} // namespace
} // namespace orrery::runtime
