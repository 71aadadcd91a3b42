// Parses .npy headers and the zip container of .npz.
#include "test/runtime/data/RecordedArray.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <zlib.h>

namespace orrery::test {

namespace {

[[noreturn]] void fail(const std::string &what) {
  throw std::runtime_error(what);
}

template <typename T> T at(const std::string &bytes, size_t offset) {
  if (offset + sizeof(T) > bytes.size())
    fail("recorded file ends early");
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

template <typename T, typename Out>
void append(const std::string &bytes, size_t offset, int64_t n, Out &out) {
  for (int64_t i = 0; i < n; ++i)
    out.push_back(at<T>(bytes, offset + i * sizeof(T)));
}

/// The text between `key` and `end` in a .npy header.
std::string field(const std::string &header, const std::string &key,
                  const std::string &end) {
  size_t begin = header.find(key);
  if (begin == std::string::npos)
    fail("no " + key + " in " + header);
  begin += key.size();
  return header.substr(begin, header.find(end, begin) - begin);
}

/// Reorders Fortran-ordered elements into row-major order.
template <typename T>
void toRowMajor(std::vector<T> &values, const std::vector<int64_t> &shape) {
  std::vector<T> result(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    size_t rest = i, row = 0;
    std::vector<size_t> index(shape.size());
    for (size_t d = 0; d < shape.size(); ++d) {
      index[d] = rest % shape[d];
      rest /= shape[d];
    }
    for (size_t d = 0; d < shape.size(); ++d)
      row = row * shape[d] + index[d];
    result[row] = values[i];
  }
  values = std::move(result);
}

RecordedArray parseNpy(const std::string &bytes) {
  if (bytes.compare(0, 6, "\x93NUMPY") != 0 || bytes.at(6) != 1)
    fail("not a version 1 .npy file");
  const size_t length = at<uint16_t>(bytes, 8);
  const std::string header = bytes.substr(10, length);
  RecordedArray array;
  std::stringstream shape(field(header, "'shape': (", ")"));
  for (std::string extent; std::getline(shape, extent, ',');)
    if (extent.find_first_not_of(' ') != std::string::npos)
      array.shape.push_back(std::stoll(extent));
  const std::string type = field(header, "'descr': '", "'");
  const size_t data = 10 + length;
  const int64_t n = array.count();
  if (type == "|u1" || type == "|b1")
    append<uint8_t>(bytes, data, n, array.integers);
  else if (type == "<i2")
    append<int16_t>(bytes, data, n, array.integers);
  else if (type == "<i4")
    append<int32_t>(bytes, data, n, array.integers);
  else if (type == "<u4")
    append<uint32_t>(bytes, data, n, array.integers);
  else if (type == "<i8")
    append<int64_t>(bytes, data, n, array.integers);
  else if (type == "<f8")
    append<double>(bytes, data, n, array.reals);
  else
    fail("element type " + type + " is not supported");
  if (header.find("'fortran_order': True") != std::string::npos) {
    toRowMajor(array.integers, array.shape);
    if (!array.reals.empty())
      toRowMajor(array.reals, array.shape);
  }
  return array;
}

std::string inflateRaw(const std::string &packed, size_t size) {
  std::string out(size, '\0');
  z_stream stream = {};
  stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef *>(out.data());
  stream.avail_out = static_cast<uInt>(size);
  inflateInit2(&stream, -MAX_WBITS);
  const int result = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  if (result != Z_STREAM_END)
    fail("damaged .npz member");
  return out;
}

} // namespace

std::string readText(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    fail("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

nlohmann::json readJson(const std::string &path) {
  return nlohmann::json::parse(readText(path));
}

RecordedArray readNpy(const std::string &path) {
  return parseNpy(readText(path));
}

std::map<std::string, RecordedArray> readNpz(const std::string &path) {
  const std::string zip = readText(path);
  // The central directory: its end record is the last 22 bytes (no comment).
  const size_t end = zip.size() - 22;
  if (at<uint32_t>(zip, end) != 0x06054b50)
    fail(path + " is not a zip file without comment");
  size_t entry = at<uint32_t>(zip, end + 16);
  std::map<std::string, RecordedArray> arrays;
  for (int i = at<uint16_t>(zip, end + 10); i > 0; --i) {
    const auto method = at<uint16_t>(zip, entry + 10);
    const auto packed = at<uint32_t>(zip, entry + 20);
    const auto size = at<uint32_t>(zip, entry + 24);
    const auto nameLength = at<uint16_t>(zip, entry + 28);
    const auto extra = at<uint16_t>(zip, entry + 30);
    const auto local = at<uint32_t>(zip, entry + 42);
    std::string name = zip.substr(entry + 46, nameLength);
    const size_t data = local + 30 + at<uint16_t>(zip, local + 26) +
                        at<uint16_t>(zip, local + 28);
    std::string bytes = zip.substr(data, packed);
    if (method == 8)
      bytes = inflateRaw(bytes, size);
    arrays[name.substr(0, name.rfind(".npy"))] = parseNpy(bytes);
    entry += 46 + nameLength + extra + at<uint16_t>(zip, entry + 32);
  }
  return arrays;
}

std::string recorded(const std::string &name) {
  return std::string(ORRERY_SOURCE_DIR) + "/test/runtime/data/recorded/" + name;
}

std::string sharedFolder() {
  const char *named = std::getenv("ORRERY_SHARED");
  const std::string folder =
      named ? named : std::string(ORRERY_SOURCE_DIR) + "/../shared";
  return std::filesystem::is_directory(folder + "/golden") ? folder : "";
}

} // namespace orrery::test
