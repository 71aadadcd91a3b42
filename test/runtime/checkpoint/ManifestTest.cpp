// manifest.json: round trip, and no damaged manifest is believed.
#include "runtime/checkpoint/Manifest.h"
#include "test/runtime/checkpoint/ToyRun.h"

#include <gtest/gtest.h>

#include <cmath>

namespace orrery::runtime {
namespace {

Manifest toyManifest() {
  Manifest manifest;
  manifest.state = test::toyState(20);
  manifest.state.schedule.maxLr = 0.1; // not exact in binary
  manifest.model = {{"num_layers", "4"}, {"hidden_size", "8"}};
  manifest.optimizer = "ADAM";
  manifest.layout = {{"pp", 2}, {"tp", 2}};
  manifest.files = {{"rank_00000.safetensors", 1234, 0x0123456789abcdef}};
  return manifest;
}

TEST(Manifest, ReadsWhatItWrote) {
  Manifest manifest = toyManifest();
  absl::StatusOr<Manifest> read =
      parseManifest(*writeManifest(manifest), "m.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->state, manifest.state);
  EXPECT_EQ(read->model, manifest.model);
  EXPECT_EQ(read->optimizer, manifest.optimizer);
  EXPECT_EQ(read->layout, manifest.layout);
  ASSERT_EQ(read->files.size(), 1u);
  EXPECT_EQ(read->files[0].name, "rank_00000.safetensors");
  EXPECT_EQ(read->files[0].bytes, 1234u);
  EXPECT_EQ(read->files[0].headerChecksum, 0x0123456789abcdefu);
}

/// A flipped bit is found, or changes nothing that the manifest says (1e-05
/// and 1E-05 are one number).
TEST(Manifest, FindsFlippedBits) {
  Manifest manifest = toyManifest();
  std::string text = *writeManifest(manifest);
  int harmless = 0;
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string damaged = text;
    damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
    absl::StatusOr<Manifest> read = parseManifest(damaged, "m.json");
    if (!read.ok())
      continue;
    ++harmless;
    EXPECT_EQ(*writeManifest(*read), text) << "bit " << bit;
  }
  EXPECT_LT(harmless, 20);
}

TEST(Manifest, FindsTruncation) {
  std::string text = *writeManifest(toyManifest());
  // All but the line break at the end.
  for (size_t length = 0; length + 1 < text.size(); ++length)
    EXPECT_FALSE(parseManifest(text.substr(0, length), "m.json").ok())
        << length;
}

TEST(Manifest, DoesNotHoldInfinity) {
  Manifest manifest = toyManifest();
  manifest.state.lossScale.scale = INFINITY;
  EXPECT_EQ(writeManifest(manifest).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Manifest, RefusesFilesOutsideItsFolder) {
  Manifest manifest = toyManifest();
  manifest.files[0].name = "../secret";
  absl::StatusOr<Manifest> read =
      parseManifest(*writeManifest(manifest), "m.json");
  EXPECT_NE(read.status().message().find("inside the folder"),
            std::string::npos);
}

} // namespace
} // namespace orrery::runtime
