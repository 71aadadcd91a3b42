// The suite's process: MPI, one GPU per rank, the world's group; run under
// mpirun. Tests are in the other files, what concerns the world itself here.
#include "absl/strings/str_cat.h"
#include "runtime/comm/mpi/MpiWorld.h"
#include "runtime/comm/nccl/LocalRank.h"
#include "test/runtime/comm/nccl/DeviceRanks.h"

namespace orrery::runtime {
namespace {

MpiWorld *mpi = nullptr;
NcclWorld *nccl = nullptr;
DeviceGroup all;
cudaStream_t stream = nullptr;
std::string reason;

absl::Status takeDevice(CommunicatorFactory &factory) {
  absl::StatusOr<LocalRank> local = findLocalRank(factory.world());
  if (!local.ok())
    return local.status();
  int devices = 0;
  cudaError_t error = cudaGetDeviceCount(&devices);
  int32_t missing = error != cudaSuccess || devices < local->size;
  RETURN_IF_ERROR(factory.world().allReduce(&missing, &missing, 1, plan::I32,
                                            Reduction::Max));
  if (missing) {
    reason = error != cudaSuccess
                 ? absl::StrCat("no CUDA device: ", cudaGetErrorString(error))
                 : absl::StrCat("fewer GPUs than ranks: ", devices, " for ",
                                local->size, " ranks of this host");
    return absl::OkStatus();
  }
  RETURN_IF_CUDA(cudaSetDevice(local->rank));
  RETURN_IF_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  absl::StatusOr<DeviceGroup> group = nccl->createGroup(factory.world());
  if (!group.ok())
    return group.status();
  all = *group;
  return absl::OkStatus();
}

} // namespace

const std::string &whyNoDevices() { return reason; }

absl::Status DeviceRank::finish() const {
  cudaEvent_t done;
  RETURN_IF_CUDA(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
  RETURN_IF_CUDA(cudaEventRecord(done, stream));
  RETURN_IF_ERROR(nccl.wait(done));
  return cuda(cudaEventDestroy(done), "cudaEventDestroy");
}

absl::Status
onAllDevices(const std::function<absl::Status(const DeviceRank &)> &body) {
  DeviceRank rank{mpi->factory(), *nccl, all, stream};
  absl::Status status = body(rank);
  // A rank that failed would leave the others waiting; all must agree.
  int32_t failed = !status.ok();
  absl::Status shared = rank.factory.world().allReduce(
      &failed, &failed, 1, plan::I32, Reduction::Max);
  if (shared.ok() && failed)
    shared = absl::InternalError("another rank failed");
  return status.ok() ? shared : status;
}

CapturedGraph::~CapturedGraph() {
  if (executable) {
    EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
  }
  if (graph) {
    EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  }
}

absl::Status
CapturedGraph::capture(cudaStream_t stream,
                       const std::function<absl::Status()> &enqueue) {
  RETURN_IF_CUDA(
      cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  absl::Status inside = enqueue();
  absl::Status ended =
      cuda(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
  RETURN_IF_ERROR(inside);
  RETURN_IF_ERROR(ended);
  return cuda(cudaGraphInstantiate(&executable, graph, 0),
              "cudaGraphInstantiate");
}

absl::Status CapturedGraph::launch(cudaStream_t stream) const {
  return cuda(cudaGraphLaunch(executable, stream), "cudaGraphLaunch");
}

namespace {

TEST(NcclWorld, MembersAreThoseOfTheHostsGroup) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    // Even ranks in falling order, odd ranks each alone.
    std::vector<std::vector<int32_t>> groups(1);
    for (int m = 0; m < r.size(); m += 2)
      groups[0].insert(groups[0].begin(), m);
    for (int m = 1; m < r.size(); m += 2)
      groups.push_back({m});
    std::unique_ptr<Communicator> host;
    RETURN_IF_ERROR(r.factory.create("even", groups, host));
    absl::StatusOr<DeviceGroup> group = r.nccl.createGroup(*host);
    RETURN_IF_ERROR(group.status());
    EXPECT_EQ(group->name(), "even");
    EXPECT_EQ(group->rank(), host->rank());
    EXPECT_EQ(group->size(), host->size());
    DeviceArray<int32_t> in(std::vector<int32_t>{r.rank()}), out(group->size());
    RETURN_IF_ERROR(
        group->allGather(in.data(), out.data(), 1, plan::I32, r.stream));
    RETURN_IF_ERROR(r.finish());
    EXPECT_EQ(out.get(), groups[r.rank() % 2 ? r.rank() / 2 + 1 : 0]);
    return absl::OkStatus();
  });
}

// Afterwards a call on the device takes no more memory.
TEST(NcclWorld, WarmingUpTakesAllTheMemoryOfACall) {
  EXPECT_ON_ALL_DEVICES([](const DeviceRank &r) -> absl::Status {
    const int64_t count = 3000000;
    std::vector<DeviceCall> calls;
    for (auto kind :
         {DeviceCall::Kind::AllReduce, DeviceCall::Kind::AllGather,
          DeviceCall::Kind::ReduceScatter, DeviceCall::Kind::AllToAll}) {
      calls.push_back({&r.all, kind, Reduction::Sum, plan::F32, count});
      calls.push_back({&r.all, kind, Reduction::Sum, plan::F32, 7});
      calls.push_back(calls.front());
    }
    RETURN_IF_ERROR(r.nccl.warmUp(calls));
    DeviceArray<float> in(count * r.size()), out(count * r.size());
    RETURN_IF_CUDA(cudaDeviceSynchronize());
    size_t before = 0, after = 0, total = 0;
    RETURN_IF_CUDA(cudaMemGetInfo(&before, &total));
    for (const DeviceCall &call : calls)
      RETURN_IF_ERROR(call.run(in.data(), out.data(), r.stream));
    RETURN_IF_ERROR(r.finish());
    RETURN_IF_CUDA(cudaMemGetInfo(&after, &total));
    EXPECT_EQ(before, after);
    return absl::OkStatus();
  });
}

TEST(NcclWorld, WatchesWithoutErrors) {
  EXPECT_ON_ALL_DEVICES(
      [](const DeviceRank &r) { return r.nccl.checkAsync(); });
}

} // namespace
} // namespace orrery::runtime

int main(int argc, char **argv) {
  using namespace orrery::runtime;
  ::testing::InitGoogleTest(&argc, argv);
  auto started = MpiWorld::start(&argc, &argv);
  if (!started.ok()) {
    std::fprintf(stderr, "%s\n", started.status().ToString().c_str());
    return 1;
  }
  mpi = started->get();
  CommunicatorFactory &factory = mpi->factory();
  NcclWorld world;
  nccl = &world;
  absl::Status status = takeDevice(factory);
  if (!status.ok())
    factory.abort(status);
  int failed = RUN_ALL_TESTS();
  if (status = world.close(factory.world()); !status.ok())
    factory.abort(status);
  return failed;
}
