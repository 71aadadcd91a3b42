// Unrolled schedules, written as strings.
#include "runtime/device/Timeline.h"

#include "absl/strings/str_cat.h"

#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

class Timeline : public ::testing::Test {
protected:
  Timeline() {
    const char *names[] = {"forward", "backward", "update"};
    for (int i = 0; i < 3; ++i)
      programs.push_back({names[i], {}, {}, i == 0});
    auto add = [&](plan::Schedule::Phase::Count count,
                   std::vector<std::string> which) {
      plan::Schedule::Phase *phase = schedule.add_phases();
      phase->set_count(count);
      for (const std::string &name : which)
        phase->add_programs(name);
    };
    add(plan::Schedule::Phase::FIRST, {"forward"});
    add(plan::Schedule::Phase::REST, {"forward", "backward"});
    add(plan::Schedule::Phase::FIRST, {"backward"});
    add(plan::Schedule::Phase::ONCE, {"update"});
  }

  // The backward receives into buffer 5, which has this many slots.
  void receiveInBackward(int64_t slots) {
    programs[1].transfers = {{0, /*send=*/false, 5, slots}};
    programs[1].buffers = {5};
  }

  std::string text(int64_t warmup, int64_t microbatches) {
    std::string result;
    for (const TimelineRun &run :
         unrollSchedule(schedule, warmup, microbatches, programs)) {
      absl::StrAppend(&result, result.empty() ? "" : " ");
      for (const Posting &posting : run.postings)
        absl::StrAppend(&result, "[post ", posting.run, "]");
      absl::StrAppend(&result, run.fillsInput ? "*" : "",
                      programs[run.program].name.substr(0, 1), run.microbatch,
                      run.last ? "." : "");
    }
    return result;
  }

  std::vector<ScheduledProgram> programs;
  plan::Schedule schedule;
};

TEST_F(Timeline, OneForwardOneBackward) {
  EXPECT_EQ(text(1, 4), "*f0 *f1 b0 *f2 b1 *f3. b2 b3. u0.");
  EXPECT_EQ(text(0, 2), "*f0 b0 *f1. b1. u0.");
}

TEST_F(Timeline, WarmUpIsAtMostTheMicrobatches) {
  EXPECT_EQ(text(3, 2), "*f0 *f1. b0 b1. u0.");
}

TEST_F(Timeline, PostsReceivesOneRunAhead) {
  receiveInBackward(2);
  EXPECT_EQ(text(1, 3), "*f0 [post 2]*f1 b0 [post 4]*f2. [post 5]b1 b2. u0.");
}

TEST_F(Timeline, PostsNoReceiveIntoASlotInUse) {
  receiveInBackward(1);
  EXPECT_EQ(text(1, 2), "*f0 [post 2]*f1. b0 [post 3]b1. u0.");
}

} // namespace
} // namespace orrery::runtime
