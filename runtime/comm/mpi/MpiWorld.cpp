// Starting and ending MPI, and splitting its world.
#include "runtime/comm/mpi/MpiWorld.h"

#include "runtime/comm/mpi/MpiCommunicator.h"
#include "runtime/comm/mpi/MpiStatus.h"

#include <algorithm>
#include <cstdio>

namespace orrery::runtime {
namespace {

class MpiFactory : public CommunicatorFactory {
public:
  explicit MpiFactory(int64_t countLimit)
      : limit(countLimit), all("world", MPI_COMM_WORLD, countLimit) {}

  int rank() const override { return all.rank(); }
  int size() const override { return all.size(); }
  Communicator &world() override { return all; }

  absl::Status create(const std::string &name,
                      const std::vector<std::vector<int32_t>> &groups,
                      std::unique_ptr<Communicator> &out) override {
    out.reset();
    int color = MPI_UNDEFINED, key = 0;
    for (size_t i = 0; i < groups.size(); ++i) {
      auto found = std::find(groups[i].begin(), groups[i].end(), all.rank());
      if (found == groups[i].end())
        continue;
      color = static_cast<int>(i);
      key = static_cast<int>(found - groups[i].begin());
    }
    MPI_Comm handle;
    int code = MPI_Comm_split(MPI_COMM_WORLD, color, key, &handle);
    if (code != MPI_SUCCESS)
      return toStatus(code, "MPI_Comm_split", name, all.rank(), all.size());
    if (handle != MPI_COMM_NULL)
      out = std::make_unique<MpiCommunicator>(name, handle, limit);
    return absl::OkStatus();
  }

  void abort(const absl::Status &status) override {
    // Many messages name the rank themselves.
    const std::string text(status.message());
    const std::string place = text.rfind("rank ", 0) == 0
                                  ? ""
                                  : "rank " + std::to_string(all.rank()) + ": ";
    std::fprintf(stderr, "orrery-run: error: %s%s\n", place.c_str(),
                 text.c_str());
    std::fflush(stderr);
    MPI_Abort(MPI_COMM_WORLD, 1);
  }

private:
  int64_t limit;
  MpiCommunicator all;
};

} // namespace

absl::StatusOr<std::unique_ptr<MpiWorld>>
MpiWorld::start(int *argc, char ***argv, int64_t countLimit) {
  int level = 0;
  int code = MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &level);
  if (code == MPI_SUCCESS)
    code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if (code != MPI_SUCCESS)
    return toStatus(code, "MPI_Init_thread", "world", 0, 1);
  if (level < MPI_THREAD_FUNNELED)
    return absl::FailedPreconditionError(
        "this MPI library does not allow threads beside MPI "
        "(MPI_THREAD_FUNNELED)");
  std::unique_ptr<MpiWorld> world(new MpiWorld());
  world->made = std::make_unique<MpiFactory>(countLimit);
  return world;
}

MpiWorld::~MpiWorld() {
  made.reset();
  MPI_Finalize();
}

} // namespace orrery::runtime
