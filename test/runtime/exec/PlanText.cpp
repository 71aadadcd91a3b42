// Parsing the text of small plans.
#include "test/runtime/exec/PlanText.h"

#include <fstream>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <regex>
#include <sstream>

namespace orrery::runtime {

std::string readBuilt(const std::filesystem::path &path) {
  std::error_code error;
  std::filesystem::path there =
      std::filesystem::read_symlink("/proc/self/exe", error);
  there.replace_filename(path.filename());
  std::ifstream file(std::filesystem::exists(there, error) ? there : path,
                     std::ios::binary);
  EXPECT_TRUE(file) << "neither " << there << " nor " << path << " is there";
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

plan::Plan planFromText(std::string text) {
  text =
      std::regex_replace(text, std::regex(R"(V\((\d+), (\d+)\))"),
                         "{ buffer: $1 shape: [$2] strides: [1] type: F32 }");
  text = std::regex_replace(
      text, std::regex(R"(M\((\d+), (\d+), (\d+)\))"),
      "{ buffer: $1 shape: [$2, $3] strides: [$3, 1] type: F32 }");
  plan::Plan plan;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &plan));
  plan.set_format(1);
  plan.mutable_target()->set_name("cpu");
  struct {
    const char *symbol;
    uint32_t buffers, scalars;
  } kernels[] = {{"count_up", 1, 1},
                 {"add_scaled", 2, 1},
                 {"show_key", 1, 1},
                 {"from_integers", 2, 0},
                 {"descend", 3, 0}};
  for (const auto &kernel : kernels) {
    plan::Kernel *added = plan.add_kernels();
    added->set_symbol(kernel.symbol);
    added->set_buffers(kernel.buffers);
    added->set_scalars(kernel.scalars);
  }
  plan.set_kernel_object(readBuilt(ORRERY_TEST_KERNELS));
  return plan;
}

} // namespace orrery::runtime
