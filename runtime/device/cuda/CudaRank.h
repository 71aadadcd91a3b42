// Everything that a rank has on its GPU, in the order in which it is set up.
#ifndef ORRERY_RUNTIME_DEVICE_CUDA_CUDARANK_H
#define ORRERY_RUNTIME_DEVICE_CUDA_CUDARANK_H

#include "runtime/comm/nccl/NcclWorld.h"
#include "runtime/comm/peer/PeerMemory.h"
#include "runtime/device/Groups.h"
#include "runtime/device/cuda/CudaDevice.h"
#include "runtime/device/cuda/Gpu.h"
#include "runtime/device/cuda/HostImage.h"
#include "runtime/device/cuda/MemoryLedger.h"
#include "runtime/device/cuda/Prepare.h"
#include "runtime/device/cuda/Staging.h"
#include "runtime/device/cuda/StepEnqueuer.h"

#include <memory>
#include <optional>
#include <vector>

namespace orrery::runtime::cuda {

class CudaRank {
public:
  CudaRank(const RankPlan &rank, CommunicatorFactory &factory,
           const CudaOptions &options)
      : rank(rank), factory(factory), options(options),
        keys(rank.plan->job().train().seed(), rank.member->first_layer()) {}
  /// Closes the communicators with the other ranks, which come here, too; gives
  /// them up if setting up failed or a rank is broken.
  ~CudaRank();

  /// See createCudaDevice. Ok on all ranks or on none.
  absl::Status setUp();

  const RankPlan &rank;
  CommunicatorFactory &factory;
  const CudaOptions options;
  Gpu gpu;
  MemoryLedger ledger;
  Lanes lanes;
  KernelLibrary kernels;
  NcclWorld nccl;
  Groups hostGroups;
  PeerMemory peers;             // outlives the groups
  std::vector<int32_t> reached; // ranks whose memory is used
  std::vector<std::optional<DeviceGroup>> groups;
  std::vector<PeerChannel> channels;
  StepKeys keys;
  PlanGemms gemms;
  CudnnOnDemand cudnn;
  std::vector<PreparedProgram> programs;
  std::vector<DeviceCall> calls; // of the programs' collectives
  DeviceMemory arena, scratch, deviceKeys;
  HostImage image;
  std::unique_ptr<Staging> staging;
  std::optional<StepEnqueuer> enqueuer;
  bool ready = false;  // on all ranks
  bool broken = false; // a step failed: something may still be running

private:
  // Parts of setUp. Ranks agree between them; within one they meet in the same
  // collectives or fail before the first, or end all ranks by alone().
  absl::Status takeGpuAndCode();
  absl::Status checkGpus();
  absl::Status openNccl();
  absl::Status createGroups();
  absl::Status openPeers();
  absl::Status createChannels();
  absl::Status openGemms();
  absl::Status chooseGemms();
  absl::Status shareGemms();
  absl::Status prepare();
  absl::Status warmUp();
  absl::Status layOutScratch();
  absl::Status takeMemory();
  absl::Status mapPeers();
  absl::Status rehearse();
  absl::Status rehearseMessages();
  absl::Status alone(const absl::Status &status);
  int64_t shownBytes(int64_t bytes) const;
  absl::Status clearMemory();

  std::vector<int64_t> scratchByLane; // bytes
};

} // namespace orrery::runtime::cuda

#endif // ORRERY_RUNTIME_DEVICE_CUDA_CUDARANK_H
