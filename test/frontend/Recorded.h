// Finds the values recorded from the original system.
#ifndef ORRERY_TEST_FRONTEND_RECORDED_H
#define ORRERY_TEST_FRONTEND_RECORDED_H

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace orrery::test {

/// The folder of recorded values: $ORRERY_SHARED/golden or the one beside
/// the repository; it may not exist.
inline std::filesystem::path recordedFolder() {
  const char *shared = std::getenv("ORRERY_SHARED");
  std::filesystem::path folder =
      shared ? std::filesystem::path(shared)
             : std::filesystem::path(ORRERY_SOURCE_DIR) / ".." / "shared";
  return folder / "golden";
}

inline nlohmann::json readJson(const std::filesystem::path &path) {
  std::ifstream stream(path);
  return nlohmann::json::parse(stream);
}

} // namespace orrery::test

#define ORRERY_SKIP_WITHOUT(path)                                              \
  if (!std::filesystem::exists(path))                                          \
  GTEST_SKIP() << "no recorded values at " << (path)

#endif // ORRERY_TEST_FRONTEND_RECORDED_H
