// No option is silent: each has a text, and each honoured one is read.
#include "frontend/megatron_lm/options/Options.h"
#include "test/frontend/megatron_lm/CommandLine.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace orrery;
using namespace orrery::frontend::megatron;

TEST(Explain, TableHasEveryOptionOnceWithATextAndAField) {
  std::set<std::string_view> flags;
  for (const OptionInfo *option : commonOptions()) {
    EXPECT_TRUE(flags.insert(option->flag).second) << option->flag;
    EXPECT_FALSE(option->text.empty()) << option->flag;
    EXPECT_EQ(option->effect == Effect::Rejected, !option->nearest.empty())
        << option->flag;
    EXPECT_FALSE(option->effect == Effect::Honoured && option->field.empty())
        << option->flag;
  }
  EXPECT_GE(flags.size(), 140u);
}

TEST(Explain, FieldsExistInTheJobDescription) {
  for (const OptionInfo *option : commonOptions()) {
    if (option->field.empty())
      continue;
    std::string path(option->field);
    size_t dot = path.find('.');
    ASSERT_NE(dot, std::string::npos) << path;
    const auto *part =
        job::JobSpec::descriptor()->FindFieldByName(path.substr(0, dot));
    ASSERT_TRUE(part) << path;
    EXPECT_TRUE(part->message_type()->FindFieldByName(path.substr(dot + 1)))
        << path;
  }
}

TEST(Explain, RowsCoverEveryOptionOfTheProgram) {
  ParseResult result = test::parseWith("--seed 5 --seed 6 --clip-grad 0");
  std::map<std::string, ExplainRow> rows;
  for (const ExplainRow &row : result.explain) {
    EXPECT_FALSE(row.reason.empty()) << row.option;
    EXPECT_FALSE(row.effect.empty()) << row.option;
    rows[row.option] = row;
  }
  for (const OptionInfo *option : commonOptions())
    EXPECT_TRUE(rows.count(std::string(option->flag))) << option->flag;
  EXPECT_EQ(rows["--seed"].origin, "given");
  EXPECT_EQ(rows["--seed"].value, "6");
  EXPECT_NE(rows["--seed"].reason.find("given 2 times"), std::string::npos);
  EXPECT_EQ(rows["--ffn-hidden-size"].origin, "default");
  EXPECT_EQ(rows["--ffn-hidden-size"].value, "256");
  EXPECT_EQ(rows["--warmup"].effect, "rejected");
  EXPECT_EQ(rows["microbatches"].value, "4");
  std::string table = formatExplain(result.explain);
  EXPECT_EQ(std::ranges::count(table, '\n'),
            std::ptrdiff_t(result.explain.size() + 1));
}

TEST(Explain, SaysWhereAGroupOfRecomputedLayersIsUnused) {
  ParseResult result = test::parseWith("--checkpoint-num-layers 2");
  auto row = std::ranges::find(result.explain, "--checkpoint-num-layers",
                               &ExplainRow::option);
  ASSERT_NE(row, result.explain.end());
  EXPECT_NE(row->reason.find("unused"), std::string::npos) << row->reason;
}

TEST(Explain, SaysWhereADynamicLossScaleIsUnused) {
  const std::string options = " --initial-loss-scale 8 --min-loss-scale 2 "
                              "--loss-scale-window 5 --hysteresis 1";
  for (const char *type : {"", "--bf16", "--fp16 --loss-scale 8", "--fp16"})
    for (const char *option : {"--initial-loss-scale", "--min-loss-scale",
                               "--loss-scale-window", "--hysteresis"}) {
      SCOPED_TRACE(std::string(type) + " " + option);
      ParseResult result = test::parseWith(type + options);
      auto row = std::ranges::find(result.explain, option, &ExplainRow::option);
      ASSERT_NE(row, result.explain.end());
      bool isUnused = row->reason.find("unused") != std::string::npos;
      EXPECT_EQ(isUnused, std::string_view(type) != "--fp16") << row->reason;
    }
}

namespace {

/// How giving an option must show in the job description.
struct Use {
  const char *given;     // added to the base
  const char *base = ""; // added before it, and alone for comparison
  bool samples = false;  // the base counts in samples
};

} // namespace

/// One use of every honoured option that changes the job.
static const std::map<std::string_view, Use> &uses() {
  static const std::map<std::string_view, Use> table = {
      {"--num-layers", {"4"}},
      {"--hidden-size", {"128"}},
      {"--ffn-hidden-size", {"64"}},
      {"--num-attention-heads", {"8"}},
      {"--kv-channels", {"32"}},
      {"--max-position-embeddings", {"64"}},
      {"--make-vocab-size-divisible-by", {"64"}},
      {"--layernorm-epsilon", {"1e-6"}},
      {"--norm-epsilon", {"1e-6"}},
      {"--apply-residual-connection-post-layernorm", {""}},
      {"--openai-gelu", {"", "--no-bias-gelu-fusion"}},
      {"--no-bias-gelu-fusion", {""}},
      {"--attention-dropout", {"0.2"}},
      {"--hidden-dropout", {"0.2"}},
      {"--seed", {"5"}},
      {"--init-method-std", {"0.01"}},
      {"--weight-decay", {"0.1"}},
      {"--clip-grad", {"2"}},
      {"--adam-beta1", {"0.8"}},
      {"--adam-beta2", {"0.95"}},
      {"--adam-eps", {"1e-6"}},
      {"--sgd-momentum", {"0.8"}},
      {"--optimizer", {"sgd"}},
      {"--train-iters", {"50"}},
      {"--train-samples", {"800", "", true}},
      {"--exit-interval", {"5"}},
      {"--exit-duration-in-mins", {"5"}},
      {"--lr", {"0.1"}},
      {"--lr-decay-style", {"cosine"}},
      {"--lr-decay-iters", {"50"}},
      {"--lr-decay-samples", {"800", "", true}},
      {"--lr-warmup-fraction", {"0.1"}},
      {"--lr-warmup-iters", {"5"}},
      {"--lr-warmup-samples", {"80", "", true}},
      {"--min-lr", {"1e-5"}},
      {"--override-lr-scheduler", {""}},
      {"--use-checkpoint-lr-scheduler", {""}},
      {"--save", {"s", "--save-interval 5"}},
      {"--save-interval", {"5"}},
      {"--no-save-optim", {""}},
      {"--load", {"s"}},
      {"--no-load-optim", {""}},
      {"--finetune", {""}},
      {"--fp16", {""}},
      {"--bf16", {""}},
      {"--loss-scale", {"8", "--fp16"}},
      {"--initial-loss-scale", {"8", "--fp16"}},
      {"--min-loss-scale", {"8", "--fp16"}},
      {"--loss-scale-window", {"8", "--fp16"}},
      {"--hysteresis", {"8", "--fp16"}},
      {"--fp32-residual-connection", {"", "--fp16"}},
      {"--fp16-lm-cross-entropy", {"", "--fp16"}},
      {"--micro-batch-size", {"4"}},
      {"--global-batch-size", {"32"}},
      {"--rampup-batch-size", {"4 4 160", "", true}},
      {"--checkpoint-activations", {""}},
      {"--checkpoint-num-layers", {"2", "--checkpoint-activations"}},
      {"--recompute-granularity", {"full"}},
      {"--recompute-num-layers", {"2", "--recompute-granularity full"}},
      {"--tensor-model-parallel-size", {"1"}},
      {"--pipeline-model-parallel-size", {"1"}},
      {"--no-scatter-gather-tensors-in-pipeline", {""}},
      {"--sequence-parallel", {""}},
      {"--eval-iters", {"5"}},
      {"--eval-interval", {"5"}},
      {"--data-path", {"other"}},
      {"--split", {"8,1,1"}},
      {"--dataloader-type", {"cyclic"}},
      {"--vocab-file", {"/no/such/file"}},
      {"--seq-length", {"16"}},
      {"--data-impl", {"mmap"}},
      {"--reset-position-ids", {""}},
      {"--reset-attention-mask", {""}},
      {"--eod-mask-loss", {""}},
      {"--log-interval", {"5"}},
      {"--log-params-norm", {""}},
      {"--log-num-zeros-in-grad", {""}},
  };
  return table;
}

/// Honoured options whose only legal values in pretrain_gpt.py give the same
/// job; they decide between a job and an error.
static const std::map<std::string_view, std::string> &decisive() {
  static const std::map<std::string_view, std::string> table = {
      {"--tokenizer-type", "BertWordPieceCase"},
      {"--recompute-method", "block"},
      {"--encoder-seq-length", "32"},
  };
  return table;
}

TEST(Explain, HonouredOptionsReachTheJob) {
  for (const OptionInfo *option : commonOptions()) {
    if (option->effect != Effect::Honoured)
      continue;
    SCOPED_TRACE(option->flag);
    std::string flag(option->flag);
    if (auto found = decisive().find(flag); found != decisive().end()) {
      EXPECT_FALSE(test::parseWith(flag + " " + found->second).ok());
      continue;
    }
    auto found = uses().find(option->flag);
    ASSERT_NE(found, uses().end());
    const Use &use = found->second;
    std::string base = std::string(test::kModel) + test::kLayout +
                       (use.samples ? test::kSamples : test::kSteps) + use.base;
    ParseResult without = test::parseLine(base);
    ParseResult with = test::parseLine(base + " " + flag + " " + use.given);
    ASSERT_EQ(job::format(without.errors), "");
    ASSERT_EQ(job::format(with.errors), "");
    without.job.clear_argv();
    with.job.clear_argv();
    EXPECT_FALSE(google::protobuf::util::MessageDifferencer::Equals(without.job,
                                                                    with.job));
  }
}

/// The opposite: what is said to have no effect changes no number of the job.
TEST(Explain, OptionsWithoutEffectLeaveTheJobAlone) {
  const std::set<std::string_view> recorded = {
      "--merge-file", "--tensorboard-dir", "--no-save-rng", "--no-load-rng"};
  int tried = 0;
  for (const OptionInfo *option : commonOptions()) {
    if (option->effect != Effect::None || recorded.count(option->flag))
      continue;
    SCOPED_TRACE(option->flag);
    std::string line(option->flag);
    bool isFlag = option->kind == Kind::Flag || option->kind == Kind::NoFlag;
    if (!isFlag && !option->choices.empty())
      line += " " +
              std::string(option->choices.substr(0, option->choices.find(',')));
    else if (!isFlag)
      line += " 1";
    ParseResult without = test::parseWith("");
    ParseResult with = test::parseWith(line);
    ASSERT_EQ(job::format(with.errors), "");
    without.job.clear_argv();
    with.job.clear_argv();
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(without.job,
                                                                   with.job));
    ++tried;
  }
  EXPECT_GT(tried, 50);
}
