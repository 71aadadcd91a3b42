// Libraries opened at run time; needs no GPU.
#include "runtime/device/cuda/SharedLibrary.h"

#include <gtest/gtest.h>

using namespace orrery::runtime;

namespace {

TEST(SharedLibrary, OpensTheFirstThatIsThere) {
  absl::StatusOr<SharedLibrary> library =
      SharedLibrary::open("mathematics", {"libnone.so.99", "libm.so.6"});
  ASSERT_TRUE(library.ok()) << library.status();
  EXPECT_EQ(library->path(), "libm.so.6");
  double (*root)(double) = nullptr;
  ASSERT_TRUE(library->find("sqrt", root).ok());
  EXPECT_EQ(root(16), 4);
}

TEST(SharedLibrary, NamesEveryPlaceWhereItLooked) {
  absl::Status status =
      SharedLibrary::open("cuNone", {"libnone.so.2", "libnone.so.1"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  std::string text(status.message());
  for (const char *part : {"cuNone", "libnone.so.2:", "libnone.so.1:",
                           "/usr/local/cuda/lib64/libnone.so.1:"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(SharedLibrary, NamesAMissingFunction) {
  absl::StatusOr<SharedLibrary> library =
      SharedLibrary::open("mathematics", {"libm.so.6"});
  ASSERT_TRUE(library.ok());
  void (*none)() = nullptr;
  absl::Status status = library->find("noSuchFunction", none);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(status.message().find("noSuchFunction"), std::string::npos);
  EXPECT_EQ(none, nullptr);
}

} // namespace
