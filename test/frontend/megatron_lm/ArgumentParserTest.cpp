// The grammar of argparse: what counts as an option and as a value.
#include "frontend/megatron_lm/argparse/ArgumentParser.h"

#include "frontend/megatron_lm/argparse/Spelling.h"

#include <gtest/gtest.h>

#include <limits>

using namespace orrery;
using namespace orrery::frontend::megatron;

static ParsedArguments read(std::vector<std::string> argv) {
  return parseArguments(commonOptions(), argv);
}

TEST(ArgumentParser, TakesValuesInEveryForm) {
  ParsedArguments parsed =
      read({"--num-layers", "4", "--hidden-size=64", "--lr", "1e-3",
            "--min-lr=-1e-5", "--clip-grad", "-.5", "--fp16",
            "--no-bias-gelu-fusion", "--split", " 9, 1", "--save", "", "--seed",
            " 1_000 ", "--load", "-5"});
  EXPECT_EQ(job::format(parsed.errors), "");
  EXPECT_EQ(parsed.values.getInt("num_layers"), 4);
  EXPECT_EQ(parsed.values.getInt("hidden_size"), 64);
  EXPECT_EQ(parsed.values.getFloat("lr"), 1e-3);
  EXPECT_EQ(parsed.values.getFloat("min_lr"), -1e-5);
  EXPECT_EQ(parsed.values.getFloat("clip_grad"), -0.5);
  EXPECT_TRUE(parsed.values.getFlag("fp16"));
  EXPECT_FALSE(parsed.values.getFlag("bias_gelu_fusion"));
  EXPECT_EQ(parsed.values.getText("split"), " 9, 1");
  EXPECT_FALSE(parsed.values.isNone("save"));
  EXPECT_EQ(parsed.values.getInt("seed"), 1000);
  EXPECT_EQ(parsed.values.getText("load"), "-5");
}

TEST(ArgumentParser, TakesWordsWithBlanksForValues) {
  ParsedArguments parsed = read({"--split", "-9, 1"});
  EXPECT_EQ(job::format(parsed.errors), "");
  EXPECT_EQ(parsed.values.getText("split"), "-9, 1");
}

TEST(ArgumentParser, LetsTheLastOneWin) {
  ParsedArguments parsed = read({"--seed", "1", "--seed=2", "--seed", "3"});
  EXPECT_EQ(parsed.values.getInt("seed"), 3);
  const Given &given = parsed.given.find("seed")->second;
  EXPECT_EQ(given.times, 3);
  EXPECT_EQ(given.argument, 4);
}

TEST(ArgumentParser, ReadsListsUpToTheNextOption) {
  ParsedArguments parsed =
      read({"--data-path", "0.3", "a", "0.7", "b", "--rampup-batch-size",
            "--retriever-report-topk-accuracies", "1", "5"});
  EXPECT_EQ(parsed.values.getList("data_path"),
            (std::vector<std::string>{"0.3", "a", "0.7", "b"}));
  EXPECT_FALSE(parsed.values.isNone("rampup_batch_size"));
  EXPECT_TRUE(parsed.values.getList("rampup_batch_size").empty());
  EXPECT_EQ(toText(parsed.values.get("retriever_report_topk_accuracies")),
            "[1, 5]");
  EXPECT_EQ(toText(parsed.values.get("data_path")), "['0.3', 'a', '0.7', 'b']");
}

TEST(ArgumentParser, TakesAnyTextForTrueWhereTheOriginalDoes) {
  EXPECT_TRUE(read({"--onnx-safe", "False"}).values.getFlag("onnx_safe"));
  EXPECT_FALSE(read({"--onnx-safe", ""}).values.getFlag("onnx_safe"));
  EXPECT_TRUE(read({}).values.isNone("onnx_safe"));
}

TEST(ArgumentParser, KnowsNegativeNumbersAsArgparseDoes) {
  for (const char *value : {"-5", "-5.0", "-.5", "-0.25"})
    EXPECT_TRUE(read({"--clip-grad", value}).errors.empty()) << value;
  for (const char *option : {"-5.", "-1e5", "-inf", "-", "--5"})
    EXPECT_FALSE(read({"--clip-grad", option}).errors.empty()) << option;
}

TEST(ArgumentParser, ReadsNumbersAsPythonDoes) {
  EXPECT_EQ(parseInt("+7"), 7);
  EXPECT_EQ(parseInt("\t-7\n"), -7);
  EXPECT_EQ(parseInt("1_2_3"), 123);
  for (const char *text : {"", " ", "_1", "1_", "1__2", "0x10", "1e3", "1.0",
                           "+-1", "--1", "+", "9223372036854775808"})
    EXPECT_FALSE(parseInt(text)) << text;
  EXPECT_EQ(parseFloat("1_0.5e1"), 105.0);
  EXPECT_EQ(parseFloat(".01"), 0.01);
  EXPECT_EQ(parseFloat("1."), 1.0);
  EXPECT_EQ(parseFloat("-Infinity"), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(parseFloat("1e999"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(parseFloat("1e-999"), 0.0);
  for (const char *text : {"", "1.5x", "nan(1)", "+-1", ".", "e5", "0x1p3"})
    EXPECT_FALSE(parseFloat(text)) << text;
}

TEST(ArgumentParser, PrintsValuesAsPythonDoes) {
  EXPECT_EQ(toText(Value()), "None");
  EXPECT_EQ(toText(true), "True");
  EXPECT_EQ(toText(1.0), "1.0");
  EXPECT_EQ(toText(1e-5), "1e-05");
  EXPECT_EQ(toText(0.00015), "0.00015");
  EXPECT_EQ(toText(int64_t(-3)), "-3");
}

TEST(ArgumentParser, FindsTheClosestSpelling) {
  std::vector<std::string_view> flags = {"--num-layers", "--num-workers",
                                         "--lr"};
  EXPECT_EQ(closestSpelling("--num_layer", flags), "--num-layers");
  EXPECT_EQ(closestSpelling("--NUM-WORKERS", flags), "--num-workers");
  EXPECT_EQ(closestSpelling("--completely-else", flags), "");
  EXPECT_EQ(closestSpelling(std::string(100000, 'x'), flags), "");
}

TEST(ArgumentParser, ReportsAnUnknownOptionOnceWithItsValues) {
  ParsedArguments parsed = read({"--nothing", "1", "2", "--seed", "5"});
  ASSERT_EQ(parsed.errors.size(), 1u);
  EXPECT_EQ(parsed.errors[0].argument, 1);
  EXPECT_EQ(parsed.values.getInt("seed"), 5);
}
