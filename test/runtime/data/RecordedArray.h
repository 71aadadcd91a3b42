// Reads NumPy's .npy and .npz files, for tests against recorded arrays.
#ifndef ORRERY_TEST_RUNTIME_DATA_RECORDEDARRAY_H
#define ORRERY_TEST_RUNTIME_DATA_RECORDEDARRAY_H

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace orrery::test {

/// An array of any NumPy number type: integers and booleans widened to int64,
/// or floating-point numbers to double.
struct RecordedArray {
  std::vector<int64_t> shape;
  std::vector<int64_t> integers; // row-major
  std::vector<double> reals;     // row-major

  int64_t count() const {
    int64_t n = 1;
    for (int64_t extent : shape)
      n *= extent;
    return n;
  }
};

/// The readers throw std::runtime_error on anything unexpected.
RecordedArray readNpy(const std::string &path);
std::map<std::string, RecordedArray> readNpz(const std::string &path);
std::string readText(const std::string &path);
nlohmann::json readJson(const std::string &path);

/// Path of a file in test/runtime/data/recorded.
std::string recorded(const std::string &name);

/// Folder of the recordings that are not in this repository: ORRERY_SHARED, or
/// `shared` beside the source folder. Empty when there is none.
std::string sharedFolder();

} // namespace orrery::test

/// Skips the test unless the shared recordings are there.
#define ORRERY_NEEDS_SHARED()                                                  \
  if (orrery::test::sharedFolder().empty())                                    \
  GTEST_SKIP() << "no recordings in ../shared; set ORRERY_SHARED to them"

#endif // ORRERY_TEST_RUNTIME_DATA_RECORDEDARRAY_H
