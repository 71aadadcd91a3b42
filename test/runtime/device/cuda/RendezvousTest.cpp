// Steps of all ranks played together, without a GPU: lanes run side by side,
// and a message or a collective takes place when every rank that has part in
// it has come to it. Messages have no buffer on the way, as large ones have
// none; a step that could stand still does so here.
#include "runtime/device/cuda/StepPlan.h"

#include "test/runtime/device/cuda/CudaPlans.h"
#include "test/runtime/exec/PlanText.h"

#include <algorithm>
#include <deque>
#include <gtest/gtest.h>

namespace orrery::runtime::cuda {
namespace {

// Whether other ranks take part in it.
bool meets(const plan::Instruction &instruction) {
  return instruction.has_collective() &&
         instruction.collective().op() != plan::Collective::ALL_SLICE;
}

struct Player {
  Player(const plan::Plan &plan, int32_t number, int64_t microbatches)
      : rank(*RankPlan::create(plan, number)), lanes(*Lanes::create(rank)),
        step(planStep(rank, lanes, /*train=*/true, microbatches)),
        queues(static_cast<size_t>(lanes.count())),
        done(step.actions.size(), false) {
    for (uint32_t i = 0; i < step.actions.size(); ++i)
      queues[static_cast<size_t>(step.actions[i].lane)].push_back(i);
  }

  // The lane's next action if nothing of this rank holds it up.
  const StepAction *next(size_t lane) const {
    if (queues[lane].empty())
      return nullptr;
    const StepAction &action = step.actions[queues[lane].front()];
    for (uint32_t awaited : step.waitsOf(action))
      if (!done[awaited])
        return nullptr;
    return &action;
  }
  const plan::Instruction *instruction(const StepAction *action) const {
    if (!action || action->kind != StepAction::Kind::Instruction)
      return nullptr;
    return &rank.rankClass->programs(static_cast<int>(action->program))
                .instructions(static_cast<int>(action->instruction));
  }
  void finish(size_t lane) {
    done[queues[lane].front()] = true;
    queues[lane].pop_front();
  }
  // The lane whose next action is a collective of the communicator, or -1.
  int laneWith(uint32_t communicator) const {
    for (int lane = 0; lane < lanes.computing(); ++lane) {
      const plan::Instruction *own =
          instruction(next(static_cast<size_t>(lane)));
      if (own && meets(*own) &&
          own->collective().communicator() == communicator)
        return lane;
    }
    return -1;
  }

  RankPlan rank;
  Lanes lanes;
  StepPlan step;
  std::vector<std::deque<uint32_t>> queues; // by lane
  std::vector<bool> done;
};

class Stage {
public:
  Stage(const plan::Plan &plan, int ranks, int64_t microbatches) {
    for (int rank = 0; rank < ranks; ++rank)
      players.emplace_back(plan, rank, microbatches);
  }

  // Plays until nothing moves; the number of actions left.
  size_t play() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (Player &player : players)
        for (size_t lane = 0; lane < player.queues.size(); ++lane)
          while (advance(player, lane))
            moved = true;
    }
    size_t left = 0;
    for (const Player &player : players)
      left += static_cast<size_t>(
          std::count(player.done.begin(), player.done.end(), false));
    return left;
  }

private:
  bool advance(Player &player, size_t lane) {
    const StepAction *action = player.next(lane);
    if (!action)
      return false;
    const plan::Instruction *own = player.instruction(action);
    if (own && (own->has_send() || own->has_receive()))
      return transfer(player, lane, *own, *action);
    if (own && meets(*own))
      return collective(player, own->collective().communicator());
    player.finish(lane);
    return true;
  }

  bool transfer(Player &player, size_t lane, const plan::Instruction &own,
                const StepAction &action) {
    const bool send = own.has_send();
    const PeerChannelId id =
        player.lanes
            .channels()[lane - static_cast<size_t>(player.lanes.setup()) - 1];
    Player &peer = players[static_cast<size_t>(send ? id.to : id.from)];
    const auto &theirs = peer.lanes.channels();
    const auto found = std::find(theirs.begin(), theirs.end(), id);
    EXPECT_NE(found, theirs.end()) << "the peer has no such channel";
    if (found == theirs.end())
      return false;
    const size_t peerLane = static_cast<size_t>(peer.lanes.setup()) + 1 +
                            static_cast<size_t>(found - theirs.begin());
    const StepAction *answer = peer.next(peerLane);
    if (!answer)
      return false;
    EXPECT_EQ(peer.instruction(answer)->has_receive(), send);
    EXPECT_EQ(answer->microbatch, action.microbatch);
    player.finish(lane);
    peer.finish(peerLane);
    return true;
  }

  bool collective(Player &player, uint32_t communicator) {
    const RankPlan &rank = player.rank;
    std::vector<std::pair<Player *, int>> members;
    for (int32_t member : rank.mesh.groupOf(
             rank.plan->communicators(static_cast<int>(communicator)),
             rank.rank)) {
      Player &other = players[static_cast<size_t>(member)];
      members.emplace_back(&other, other.laneWith(communicator));
      if (members.back().second < 0)
        return false;
    }
    for (auto [member, lane] : members)
      member->finish(static_cast<size_t>(lane));
    return true;
  }

  std::deque<Player> players;
};

TEST(Rendezvous, PipelinesDoNotStandStill) {
  const plan::Plan plan = planFromText(kPipelinePlan);
  for (int64_t microbatches : {1, 2, 3, 8, 33})
    EXPECT_EQ(Stage(plan, 2, microbatches).play(), 0u) << microbatches;
}

TEST(Rendezvous, GridsDoNotStandStill) {
  const plan::Plan plan = planFromText(kGridPlan);
  EXPECT_EQ(Stage(plan, 4, 3).play(), 0u);
}

TEST(Rendezvous, ShowsAStepThatStandsStill) {
  plan::Plan plan = planFromText(kPipelinePlan);
  // The first stage waits for an answer before it has sent anything.
  plan::RankClass *first = plan.mutable_classes(0);
  first->mutable_members(0)->set_warmup(0);
  first->mutable_train()->mutable_phases(1)->mutable_programs()->SwapElements(
      0, 1);
  EXPECT_GT(Stage(plan, 2, 4).play(), 0u);
}

} // namespace
} // namespace orrery::runtime::cuda
