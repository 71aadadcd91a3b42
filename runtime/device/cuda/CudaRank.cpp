// Setting up a rank on its GPU.
#include "runtime/device/cuda/CudaRank.h"

#include "absl/strings/str_cat.h"
#include "runtime/comm/Agreement.h"
#include "runtime/device/Groups.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace orrery::runtime::cuda {
namespace {

// Memory that graphs of steps are left: they are made when a number of
// microbatches first occurs, one for training and one for evaluation.
int64_t graphReserve(const RankPlan &rank, const Lanes &lanes) {
  constexpr int64_t kBase = int64_t(64) << 20, kAction = 2048;
  const job::Parallel &parallel = rank.plan->job().parallel();
  const int64_t samples =
      int64_t(parallel.micro_batch_size()) * parallel.data();
  const int64_t microbatches =
      samples > 0 ? parallel.global_batch_size() / samples : 1;
  const StepPlan step =
      planStep(rank, lanes, /*train=*/true, std::max<int64_t>(1, microbatches));
  return kBase + kAction * static_cast<int64_t>(step.actions.size());
}

int64_t aligned(int64_t bytes) { return (bytes + 255) / 256 * 256; }

int64_t arenaBytes(const RankPlan &rank) {
  return static_cast<int64_t>(rank.member->arena_bytes());
}

int64_t total(const std::vector<int64_t> &bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), int64_t(0));
}

} // namespace

// Whoever failed alone would leave the others waiting for it in a communicator.
absl::Status CudaRank::setUp() {
  absl::Status (CudaRank::*const parts[])() = {
      &CudaRank::takeGpuAndCode, &CudaRank::checkGpus,
      &CudaRank::openNccl,       &CudaRank::createGroups,
      &CudaRank::openPeers,      &CudaRank::createChannels,
      &CudaRank::openGemms,      &CudaRank::chooseGemms,
      &CudaRank::shareGemms,     &CudaRank::prepare,
      &CudaRank::warmUp,         &CudaRank::layOutScratch,
      &CudaRank::takeMemory,     &CudaRank::mapPeers,
      &CudaRank::rehearse,       &CudaRank::rehearseMessages};
  for (auto part : parts)
    if (absl::Status status = agree(factory.world(), (this->*part)());
        !status.ok())
      return status;
  ready = true;
  return absl::OkStatus();
}

absl::Status CudaRank::takeGpuAndCode() {
  absl::StatusOr<Gpu> taken = takeGpu(factory.world());
  if (!taken.ok())
    return taken.status();
  gpu = *std::move(taken);
  if (absl::Status status = ledger.book("context and others"); !status.ok())
    return status;
  absl::StatusOr<KernelLibrary> loaded = KernelLibrary::load(*rank.plan);
  if (!loaded.ok())
    return loaded.status();
  kernels = *std::move(loaded);
  absl::StatusOr<Lanes> numbered = Lanes::create(rank);
  if (!numbered.ok())
    return numbered.status();
  lanes = *std::move(numbered);
  return ledger.book("kernels");
}

absl::Status CudaRank::checkGpus() { return checkApart(gpu, factory.world()); }

absl::Status CudaRank::openNccl() {
  return factory.size() > 1 ? nccl.load() : absl::OkStatus();
}

absl::Status CudaRank::createGroups() {
  absl::StatusOr<Groups> host = runtime::createGroups(rank, factory);
  if (!host.ok())
    return host.status();
  hostGroups = *std::move(host);
  for (const std::unique_ptr<Communicator> &group : hostGroups) {
    std::optional<DeviceGroup> &own = groups.emplace_back();
    absl::Status status;
    if (group) {
      absl::StatusOr<DeviceGroup> created = nccl.createGroup(*group);
      status = created.status();
      if (created.ok())
        own = *std::move(created);
    }
    // Members of this group may be awaited in the next one.
    status = agree(factory.world(), status);
    if (!status.ok())
      return status;
  }
  return absl::OkStatus();
}

// Members use peer memory where each reaches all others and they
// run one program on one layout of memory, so that a place here is the same
// place there: ranks of one stage.
absl::Status CudaRank::openPeers() {
  if (factory.size() == 1)
    return absl::OkStatus();
  std::vector<std::vector<int32_t>> members(groups.size());
  std::vector<int32_t> wanted;
  for (size_t g = 0; g < groups.size(); ++g) {
    if (!options.peerMemory || !groups[g] || groups[g]->size() == 1 ||
        groups[g]->size() > PeerExchange::kMaxMembers)
      continue;
    members[g] = rank.mesh.groupOf(
        rank.plan->communicators(static_cast<int>(g)), rank.rank);
    const bool alike =
        std::all_of(members[g].begin(), members[g].end(), [&](int32_t other) {
          absl::StatusOr<RankPlan> seen = RankPlan::create(*rank.plan, other);
          return seen.ok() && seen->member == rank.member;
        });
    if (alike)
      wanted.insert(wanted.end(), members[g].begin(), members[g].end());
    else
      members[g].clear();
  }
  if (absl::Status status =
          peers.open(factory.world(), wanted, static_cast<int>(groups.size()));
      !status.ok())
    return status;
  for (size_t g = 0; g < groups.size(); ++g) {
    if (!groups[g] || groups[g]->size() == 1)
      continue;
    int32_t missing = members[g].empty();
    for (int32_t other : members[g])
      missing += other != rank.rank && !peers.reaches(other);
    if (absl::Status status = hostGroups[g]->allReduce(
            &missing, &missing, 1, plan::I32, Reduction::Max);
        !status.ok())
      return status;
    if (missing > 0)
      continue;
    groups[g]->usePeers(PeerExchange(peers, static_cast<int>(g), members[g],
                                     groups[g]->rank()));
    reached.insert(reached.end(), members[g].begin(), members[g].end());
  }
  std::erase(reached, rank.rank);
  std::sort(reached.begin(), reached.end());
  reached.erase(std::unique(reached.begin(), reached.end()), reached.end());
  return ledger.book("peer memory");
}

absl::Status CudaRank::createChannels() {
  absl::StatusOr<std::vector<PeerChannel>> made =
      nccl.createChannels(factory.world(), lanes.channels());
  if (!made.ok())
    return alone(made.status());
  channels = *std::move(made);
  return ledger.book("NCCL");
}

// Others may wait inside of NCCL, where an agreement does not reach them.
absl::Status CudaRank::alone(const absl::Status &status) {
  factory.abort(status);
  return status;
}

absl::Status CudaRank::openGemms() {
  return gemms.open(*rank.plan, options.allowTf32, options.searchProducts);
}

absl::Status CudaRank::chooseGemms() {
  return rank.rank == 0 ? gemms.choose(options.gemmCache) : absl::OkStatus();
}

absl::Status CudaRank::shareGemms() { return gemms.share(factory.world()); }

absl::Status CudaRank::prepare() {
  cudnn.configure(options.deterministic,
                  std::min(ledger.total() / 50,
                           (ledger.free() - shownBytes(arenaBytes(rank))) / 2));
  PrepareContext context = {rank,     kernels, lanes, groups,
                            channels, keys,    gemms, cudnn};
  for (const plan::Program &program : rank.rankClass->programs()) {
    absl::StatusOr<PreparedProgram> prepared = prepareProgram(program, context);
    if (!prepared.ok())
      return prepared.status();
    programs.push_back(*std::move(prepared));
  }
  calls = std::move(context.calls);
  return ledger.book("libraries");
}

absl::Status CudaRank::warmUp() {
  if (absl::Status status = nccl.warmUp(calls); !status.ok())
    return alone(status);
  return ledger.book("NCCL");
}

// Memory that other ranks map is theirs in whole blocks.
int64_t CudaRank::shownBytes(int64_t bytes) const {
  return reached.empty() ? bytes : wholePeerBlocks(bytes);
}

// A place in scratch memory is the same place on ranks that use each other's,
// whatever libraries want on each.
absl::Status CudaRank::layOutScratch() {
  scratchByLane.assign(static_cast<size_t>(lanes.count()), 0);
  for (const PreparedProgram &program : programs)
    for (const PreparedInstruction &instruction : program.instructions) {
      int64_t &own = scratchByLane[static_cast<size_t>(instruction.lane)];
      own = std::max(own, aligned(instruction.operation->scratchBytes()));
    }
  std::array<int64_t, Lanes::kMaxStreams> bytes = {}; // all but channels
  std::copy_n(scratchByLane.begin(), lanes.computing(), bytes.begin());
  if (absl::Status status =
          agreeOnLargest(factory.world(), rank.member->stage(), bytes);
      !status.ok())
    return status;
  if (!reached.empty())
    std::copy_n(bytes.begin(), lanes.computing(), scratchByLane.begin());
  return absl::OkStatus();
}

absl::Status CudaRank::takeMemory() {
  const int64_t scratchBytes = shownBytes(total(scratchByLane));
  if (absl::Status status = checkFit(ledger, shownBytes(arenaBytes(rank)),
                                     scratchBytes, graphReserve(rank, lanes));
      !status.ok())
    return absl::Status(status.code(), absl::StrCat("rank ", rank.rank, ": ",
                                                    status.message()));
  absl::StatusOr<DeviceMemory> memory =
      allocateDevice(scratchBytes, "scratch memory");
  if (!memory.ok())
    return memory.status();
  scratch = *std::move(memory);
  memory = allocateDevice(static_cast<int64_t>(keys.all().size()) * 8,
                          "random keys");
  if (!memory.ok())
    return memory.status();
  deviceKeys = *std::move(memory);
  if (absl::Status status = ledger.book("scratch"); !status.ok())
    return status;
  memory = allocateDevice(shownBytes(arenaBytes(rank)), "the arena");
  if (!memory.ok())
    return memory.status();
  arena = *std::move(memory);
  if (absl::Status status = ledger.book("arena"); !status.ok())
    return status;
  absl::StatusOr<HostImage> reserved = HostImage::create(arenaBytes(rank));
  if (!reserved.ok())
    return reserved.status();
  image = *std::move(reserved);
  absl::StatusOr<std::unique_ptr<Staging>> staged =
      Staging::create(rank, image.data(), keys);
  if (!staged.ok())
    return staged.status();
  staging = *std::move(staged);
  absl::StatusOr<StepEnqueuer> created =
      StepEnqueuer::create(rank, lanes, programs, *staging);
  if (!created.ok())
    return created.status();
  enqueuer = *std::move(created);
  StepMemory places = {static_cast<std::byte *>(arena.get()),
                       static_cast<uint64_t *>(deviceKeys.get()),
                       {}};
  std::byte *next = static_cast<std::byte *>(scratch.get());
  for (int64_t bytes : scratchByLane) {
    places.scratch.push_back(bytes ? next : nullptr);
    next += bytes;
  }
  enqueuer->use(std::move(places));
  return absl::OkStatus();
}

absl::Status CudaRank::mapPeers() {
  if (factory.size() == 1)
    return absl::OkStatus();
  const DeviceBlock blocks[] = {
      {static_cast<std::byte *>(arena.get()),
       arena.get() ? shownBytes(arenaBytes(rank)) : 0},
      {static_cast<std::byte *>(scratch.get()),
       scratch.get() ? shownBytes(total(scratchByLane)) : 0}};
  if (absl::Status status = peers.map(factory.world(), reached, blocks);
      !status.ok())
    return absl::Status(status.code(),
                        absl::StrCat("rank ", rank.rank, ": ", status.message(),
                                     "; --no-peer-memory does without"));
  return ledger.book("peer memory");
}

absl::Status CudaRank::clearMemory() {
  const size_t bytes = rank.member->arena_bytes();
  const cudaStream_t stream = enqueuer->stream();
  cudaError_t error = cudaSuccess;
  if (bytes)
    error = cudaMemsetAsync(arena.get(), 0, bytes, stream);
  if (error == cudaSuccess && !keys.all().empty())
    error = cudaMemsetAsync(deviceKeys.get(), 0, keys.all().size() * 8, stream);
  if (error == cudaSuccess)
    error = cudaStreamSynchronize(stream);
  return toStatus(error, "clearing of the arena");
}

// The arena and the keys are zero before the rehearsal, so that indices read
// from them are in bounds.
absl::Status CudaRank::rehearse() {
  absl::Status status = clearMemory();
  if (status.ok())
    status = enqueuer->rehearse(/*messages=*/false);
  if (!status.ok())
    return absl::Status(status.code(), absl::StrCat("rank ", rank.rank, ": ",
                                                    status.message()));
  return ledger.book("kernels");
}

// And zero behind it.
absl::Status CudaRank::rehearseMessages() {
  absl::Status status = enqueuer->rehearse(/*messages=*/true);
  if (status.ok())
    status = clearMemory();
  if (!status.ok())
    return alone(
        absl::Status(status.code(),
                     absl::StrCat("rank ", rank.rank, ": ", status.message())));
  return ledger.book("kernels");
}

CudaRank::~CudaRank() {
  absl::Status status = absl::CancelledError("not set up, on any rank");
  if (ready) // a rank that broke alone is not waited for in close()
    status = agree(factory.world(),
                   broken ? absl::InternalError("broken") : absl::OkStatus());
  if (status.ok()) { // both on all ranks, which wait for each other
    status = nccl.close(factory.world());
    status.Update(peers.close(factory.world()));
  }
  if (!status.ok()) {
    peers.release({}); // aborting may wait for what is behind a meeting
    status = nccl.abort();
    if (enqueuer)
      peers.release(enqueuer->all());
  }
  // Nobody is left to hear of an error.
  status.IgnoreError();
}

} // namespace orrery::runtime::cuda
