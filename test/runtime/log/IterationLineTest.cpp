// Progress lines against the originals' formats.
#include "runtime/log/IterationLine.h"

#include <cmath>
#include <gtest/gtest.h>

namespace orrery::runtime {
namespace {

StepRecord firstStep() {
  StepRecord record;
  record.step = 1;
  record.consumedSamples = 8;
  record.globalBatchSize = 8;
  record.sequenceLength = 64;
  record.lmLoss = 5.934625148773193;
  record.learningRate = 0.0;
  record.nextLearningRate = 0.0002;
  record.gradNorm = 4.7200370195521115;
  record.milliseconds = 123.44;
  return record;
}

TEST(IterationLine, IsTheOriginals) {
  IterationLine line(30, 1);
  EXPECT_EQ(*line.add(firstStep()),
            " iteration        1/      30 | consumed samples:            8 |"
            " elapsed time per iteration (ms): 123.4 |"
            " learning rate: 2.000E-04 | global batch size:     8 |"
            " lm loss: 5.934625E+00 | loss scale: 1.0 | grad norm: 4.720 |"
            " number of skipped iterations:   0 |"
            " number of nan iterations:   0 |");
}

TEST(IterationLine, AddsZerosAndParameterNormWhenTheyAreLogged) {
  StepRecord record = firstStep();
  record.numZeros = 1024;
  record.paramsNorm = 25.25017404024178;
  const std::string line = *IterationLine(30, 1).add(record);
  EXPECT_NE(line.find(" | grad norm: 4.720 | num zeros: 1024.0 |"
                      " params norm: 25.250 | number of skipped"),
            std::string::npos)
      << line;
}

TEST(IterationLine, AveragesOverTheInterval) {
  IterationLine line(30, 3);
  StepRecord record = firstStep();
  record.lmLoss = 4;
  record.milliseconds = 10;
  EXPECT_FALSE(line.add(record));
  record.step = 2;
  record.lmLoss = 2;
  record.milliseconds = 20;
  EXPECT_FALSE(line.add(record));
  record.step = 3; // overflows: no loss, no grad norm, but its time counts
  record.skipped = true;
  record.lmLoss = NAN;
  record.gradNorm.reset();
  record.lossScale = 65536;
  record.milliseconds = 60;
  const std::string text = *line.add(record);
  for (const char *part :
       {"(ms): 30.0 |", "lm loss: 3.000000E+00 | loss scale: 65536.0 | number "
                        "of skipped iterations:   1 | number of nan "
                        "iterations:   1 |"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
  // The next interval starts from nothing.
  record = firstStep();
  record.step = 6;
  EXPECT_NE(line.add(record)->find("skipped iterations:   0"),
            std::string::npos);
}

TEST(IterationLine, HasNoLossWhenEveryStepWasSkipped) {
  StepRecord record = firstStep();
  record.skipped = true;
  record.gradNorm.reset();
  const std::string line = *IterationLine(30, 1).add(record);
  EXPECT_EQ(line.find("lm loss"), std::string::npos) << line;
  EXPECT_EQ(line.find("grad norm"), std::string::npos) << line;
}

TEST(IterationLine, WritesNanWithoutASign) {
  StepRecord record = firstStep();
  record.gradNorm = -NAN;
  const std::string line = *IterationLine(30, 1).add(record);
  EXPECT_NE(line.find(" | grad norm: nan | "), std::string::npos) << line;
}

TEST(ValidationLines, AreTheOriginals) {
  const auto lines = validationLines("iteration 10", 5.137155055999756);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1], " validation loss at iteration 10 | lm loss value:"
                      " 5.137155E+00 | lm loss PPL: 1.702308E+02 | ");
  EXPECT_EQ(lines[0], std::string(lines[1].size() + 1, '-'));
  EXPECT_EQ(lines[2], lines[0]);
}

TEST(ValidationLines, CapThePerplexity) {
  EXPECT_NE(validationLines("x", 1e9)[1].find("PPL: 4.851652E+08"),
            std::string::npos);
}

} // namespace
} // namespace orrery::runtime
