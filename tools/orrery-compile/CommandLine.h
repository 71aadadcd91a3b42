// The options of orrery-compile.
#ifndef ORRERY_TOOLS_ORRERY_COMPILE_COMMANDLINE_H
#define ORRERY_TOOLS_ORRERY_COMPILE_COMMANDLINE_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orrery {

struct CommandLine {
  std::string from = "megatron-lm";
  int64_t worldSize = 0;
  std::string target = "cpu";
  std::string cpu = "x86-64-v3";
  std::string out;
  std::string dumpFolder;
  std::string stopAfter;
  bool explain = false;
  int64_t deviceMemory = 0; // bytes, 0: no limit
  std::string activations = "auto";
  int64_t collectivePieces = 0; // 0: collectives by themselves
  std::optional<int64_t> vocabSize;
  std::string program;
  std::vector<std::string> arguments;
};

/// Reads argv; prints what is wrong and returns none on an error. A hostfile
/// is read here, so that `worldSize` is known.
std::optional<CommandLine> readCommandLine(int argc, char **argv);

/// Whether `option` is one of orrery-compile's own, which stand in front of --.
bool standsInFront(const std::string &option);

/// "80GiB", "512MiB", "1000000" → bytes; none when it is not a size.
std::optional<int64_t> parseBytes(const std::string &text);

} // namespace orrery

#endif // ORRERY_TOOLS_ORRERY_COMPILE_COMMANDLINE_H
