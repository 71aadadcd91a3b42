// Reads hostfiles line by line.
#include "frontend/hostfile/Hostfile.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

namespace orrery::frontend {

/// More ranks than any machine has; keeps every sum far from overflow.
static constexpr int64_t kMostSlots = 1000000;
static constexpr int64_t kMostRanks = int64_t(1) << 31;

int64_t Hostfile::worldSize() const {
  int64_t sum = 0;
  for (const Host &host : hosts)
    sum += host.slots;
  return sum;
}

static std::vector<std::string> words(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r\f\v";
  std::vector<std::string> list;
  while (true) {
    size_t begin = line.find_first_not_of(kBlank);
    if (begin == std::string_view::npos)
      return list;
    line.remove_prefix(begin);
    size_t end = std::min(line.find_first_of(kBlank), line.size());
    list.emplace_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

namespace {

/// The words of one line.
class LineReader {
public:
  LineReader(int number, Hostfile &file)
      : place("line " + std::to_string(number)), file(file) {}

  void read(const std::vector<std::string> &line) {
    Host host = readHost(line[0]);
    std::optional<int64_t> limit;
    for (size_t i = 1; i < line.size(); ++i)
      readSetting(line[i], host, limit);
    if (failed)
      return;
    if (limit && host.slots > *limit)
      return fail(line[0],
                  "has " + std::to_string(host.slots) +
                      " slots, more than its max_slots " +
                      std::to_string(*limit),
                  "slots=" + std::to_string(*limit));
    add(host);
  }

private:
  /// "host", "user@host" or "host:4"; the user plays no part here.
  Host readHost(const std::string &word) {
    Host host{word.substr(word.find('@') + 1), 1};
    size_t colon = host.name.rfind(':');
    bool address = std::count(host.name.begin(), host.name.end(), ':') > 1;
    if (colon != std::string::npos && !address) {
      std::string count = host.name.substr(colon + 1);
      host.name.resize(colon);
      if (std::optional<int64_t> slots = readCount(word, count))
        host.slots = *slots;
    }
    if (host.name.empty() || host.name.find('=') != std::string::npos)
      fail(word, "stands where a host name is expected", "host slots=n");
    return host;
  }

  void readSetting(const std::string &word, Host &host,
                   std::optional<int64_t> &limit) {
    size_t equals = word.find('=');
    std::string key = word.substr(0, equals);
    std::replace(key.begin(), key.end(), '-', '_');
    if (equals == std::string::npos || (key != "slots" && key != "max_slots"))
      return fail(word, "is not a setting of a host", "slots=n or max_slots=n");
    std::optional<int64_t> count = readCount(word, word.substr(equals + 1));
    if (!count)
      return;
    if (key == "slots")
      host.slots = *count;
    else
      limit = *count;
  }

  std::optional<int64_t> readCount(const std::string &word,
                                   const std::string &text) {
    int64_t count = 0;
    const char *last = text.data() + text.size();
    auto [end, error] = std::from_chars(text.data(), last, count);
    if (error == std::errc() && end == last && count >= 1 &&
        count <= kMostSlots)
      return count;
    bool large = error == std::errc::result_out_of_range || count > kMostSlots;
    fail(word, "needs a whole number from 1 to " + std::to_string(kMostSlots),
         std::to_string(large && !text.starts_with('-') ? kMostSlots : 1));
    return std::nullopt;
  }

  void add(const Host &host) {
    if (file.worldSize() + host.slots >= kMostRanks)
      return fail(host.name, "brings the world size to 2^31 or more",
                  "fewer hosts");
    for (Host &known : file.hosts)
      if (known.name == host.name) {
        known.slots += host.slots;
        return;
      }
    file.hosts.push_back(host);
  }

  void fail(const std::string &word, const std::string &problem,
            const std::string &nearest) {
    failed = true;
    file.errors.push_back({0, place, "'" + word + "'", problem, nearest});
  }

  std::string place;
  Hostfile &file;
  bool failed = false;
};

} // namespace

Hostfile parseHostfile(std::string_view text) {
  Hostfile file;
  for (int number = 1; !text.empty(); ++number) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::vector<std::string> content = words(line.substr(0, line.find('#')));
    if (!content.empty())
      LineReader(number, file).read(content);
  }
  if (file.hosts.empty() && file.errors.empty())
    file.errors.push_back({0, "hostfile", "", "names no host", "host slots=n"});
  return file;
}

Hostfile readHostfile(const std::string &path) {
  std::error_code ignored;
  std::ifstream stream(path, std::ios::binary);
  if (!stream || std::filesystem::is_directory(path, ignored)) {
    Hostfile file;
    file.errors.push_back({0, "hostfile", path, "cannot be read", ""});
    return file;
  }
  Hostfile file =
      parseHostfile(std::string(std::istreambuf_iterator<char>(stream), {}));
  for (job::Diagnostic &error : file.errors)
    error.subject = path + ": " + error.subject;
  return file;
}

} // namespace orrery::frontend
