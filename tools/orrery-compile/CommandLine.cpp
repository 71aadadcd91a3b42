// Reading of orrery-compile's command line.
#include "tools/orrery-compile/CommandLine.h"

#include "frontend/hostfile/Hostfile.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

using namespace orrery;
namespace cl = llvm::cl;

std::optional<int64_t> orrery::parseBytes(const std::string &text) {
  llvm::StringRef rest(text);
  double number;
  size_t digits = rest.find_first_not_of("0123456789.");
  if (rest.take_front(digits).getAsDouble(number) || number <= 0)
    return std::nullopt;
  double unit = llvm::StringSwitch<double>(rest.substr(digits))
                    .Cases({"", "B"}, 1)
                    .Case("KiB", 1ull << 10)
                    .Case("MiB", 1ull << 20)
                    .Case("GiB", 1ull << 30)
                    .Case("TiB", 1ull << 40)
                    .Case("kB", 1e3)
                    .Case("MB", 1e6)
                    .Case("GB", 1e9)
                    .Case("TB", 1e12)
                    .Default(0);
  if (unit == 0)
    return std::nullopt;
  return static_cast<int64_t>(number * unit);
}

static std::nullopt_t fail(const llvm::Twine &message) {
  llvm::errs() << "orrery-compile: error: " << message << "\n";
  return std::nullopt;
}

namespace {
/// The options as LLVM's parser fills them.
struct Options {
  cl::OptionCategory category{"Orrery options"};
  cl::opt<std::string> from{"from", cl::desc("Front end: megatron-lm"),
                            cl::value_desc("system"), cl::init("megatron-lm"),
                            cl::cat(category)};
  cl::opt<int64_t> worldSize{"world-size", cl::desc("Number of ranks"),
                             cl::value_desc("N"), cl::init(0),
                             cl::cat(category)};
  cl::opt<std::string> hostfile{
      "hostfile",
      cl::desc("Hosts and their slots, in mpirun's or DeepSpeed's form"),
      cl::value_desc("file"), cl::cat(category)};
  cl::opt<std::string> target{"target", cl::desc("cpu, or sm_<n> for GPUs"),
                              cl::init("cpu"), cl::cat(category)};
  cl::opt<std::string> cpu{
      "cpu", cl::desc("LLVM's name of the CPU that code is generated for"),
      cl::init("x86-64-v3"), cl::cat(category)};
  cl::opt<std::string> out{"out", cl::desc("The plan to write"),
                           cl::value_desc("PLAN"), cl::cat(category)};
  cl::opt<std::string> dump{"dump-ir",
                            cl::desc("Write the IR after each stage here"),
                            cl::value_desc("folder"), cl::cat(category)};
  cl::opt<std::string> stop{"stop-after", cl::desc("Stop behind this stage"),
                            cl::value_desc("stage"), cl::cat(category)};
  cl::opt<bool> explain{
      "explain", cl::desc("Print what every option does here"),
      cl::cat(category)};
  cl::opt<std::string> memory{
      "device-memory", cl::desc("Memory of one rank's device, e.g. 80GiB"),
      cl::value_desc("size"), cl::cat(category)};
  cl::opt<int64_t> vocabSize{
      "vocab-size", cl::desc("Tokens of the vocabulary, where its file is not "
                             "at hand"),
      cl::value_desc("N"), cl::cat(category)};
  cl::list<std::string> command{
      cl::Positional, cl::desc("-- <program> <its arguments>"),
      cl::cat(category)};
};
} // namespace

/// The number of ranks from --world-size and --hostfile; 0 on an error.
static int64_t getWorldSize(Options &options) {
  if (options.hostfile.empty()) {
    if (options.worldSize < 1)
      fail("--world-size=N (at least 1) or --hostfile=FILE is needed; "
           "--world-size is " +
           llvm::Twine(options.worldSize.getValue()));
    return std::max<int64_t>(options.worldSize, 0);
  }
  frontend::Hostfile hosts = frontend::readHostfile(options.hostfile);
  if (!hosts.ok()) {
    fail(options.hostfile + ":\n" + job::format(hosts.errors));
    return 0;
  }
  if (options.worldSize.getNumOccurrences() &&
      options.worldSize != hosts.worldSize()) {
    fail("--world-size=" + llvm::Twine(options.worldSize.getValue()) +
         " and " + options.hostfile + " (" +
         llvm::Twine(hosts.worldSize()) + " slots) disagree; drop one");
    return 0;
  }
  return hosts.worldSize();
}

std::optional<CommandLine> orrery::readCommandLine(int argc, char **argv) {
  Options options;
  cl::HideUnrelatedOptions(options.category);
  if (!cl::ParseCommandLineOptions(
          argc, argv,
          "Compiles a training command line to a plan.\n\n"
          "  orrery-compile --world-size=4 --out=gpt.plan -- pretrain_gpt.py "
          "--num-layers 24 …\n",
          &llvm::errs()))
    return std::nullopt;
  CommandLine line;
  if (options.command.empty())
    return fail("no training command; append: -- pretrain_gpt.py <arguments>");
  if (options.from != "megatron-lm")
    return fail("--from=" + options.from +
                " is not supported yet; supported: megatron-lm");
  line.worldSize = getWorldSize(options);
  if (line.worldSize < 1)
    return std::nullopt;
  llvm::StringRef target = options.target;
  unsigned arch = 0;
  if (target != "cpu" &&
      (!target.starts_with("sm_") || target.drop_front(3).getAsInteger(10, arch)))
    return fail("--target=" + options.target +
                " is no target; choose cpu or sm_<n>, e.g. sm_90");
  if (!options.memory.empty()) {
    auto bytes = parseBytes(options.memory);
    if (!bytes)
      return fail("--device-memory=" + options.memory +
                  " is no size; write for example 80GiB");
    line.deviceMemory = *bytes;
  }
  if (options.vocabSize.getNumOccurrences()) {
    if (options.vocabSize < 1)
      return fail("--vocab-size=" + llvm::Twine(options.vocabSize.getValue()) +
                  " is below the least, 1");
    line.vocabSize = options.vocabSize;
  }
  line.from = options.from;
  line.target = options.target;
  line.cpu = options.cpu;
  line.out = options.out;
  line.dumpFolder = options.dump;
  line.stopAfter = options.stop;
  line.explain = options.explain;
  line.program = options.command.front();
  line.arguments.assign(options.command.begin() + 1, options.command.end());
  if (line.out.empty() && !line.explain && line.dumpFolder.empty() &&
      line.stopAfter.empty())
    return fail("nothing to do: give --out=PLAN, --explain or --dump-ir=FOLDER");
  return line;
}
