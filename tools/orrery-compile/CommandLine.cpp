// Reading of orrery-compile's command line.
#include "tools/orrery-compile/CommandLine.h"

#include "frontend/hostfile/Hostfile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <CLI/CLI.hpp>
#include <algorithm>

using namespace orrery;

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
  double bytes = number * unit;
  if (bytes < 1 || bytes >= 0x1p63)
    return std::nullopt;
  return static_cast<int64_t>(bytes);
}

/// Smaller devices are a forgotten unit.
static constexpr int64_t kLeastMemory = 1 << 20;

static std::nullopt_t fail(const llvm::Twine &message) {
  llvm::errs() << "orrery-compile: error: " << message << "\n";
  return std::nullopt;
}

namespace {
/// The options as given, before they are checked.
struct Options {
  std::string hostfile, memory;
  int64_t worldSize = 0, vocabSize = 0;
  bool hasWorldSize = false, hasVocabSize = false;
};
} // namespace

static void declare(CLI::App &app, CommandLine &line, Options &options) {
  app.add_option("--from", line.from, "Front end: megatron-lm")
      ->capture_default_str();
  app.add_option("--world-size", options.worldSize, "Number of ranks");
  app.add_option("--hostfile", options.hostfile,
                 "Hosts and their slots, in mpirun's or DeepSpeed's form");
  app.add_option("--target", line.target, "cpu, or sm_<n> for GPUs")
      ->capture_default_str();
  app.add_option("--cpu", line.cpu,
                 "LLVM's name of the CPU that code is generated for")
      ->capture_default_str();
  app.add_option("--out", line.out, "The plan to write");
  app.add_option("--dump-ir", line.dumpFolder,
                 "Write the IR after each stage into this folder");
  app.add_option("--stop-after", line.stopAfter, "Stop behind this stage");
  app.add_flag("--explain", line.explain,
               "Print what every option of the command does here");
  app.add_option("--device-memory", options.memory,
                 "Memory of one rank's device, e.g. 80GiB");
  app.add_option("--activations", line.activations,
                 "What is kept for the backward: small (least memory; values "
                 "gathered over tensor ranks are gathered again), fast (what "
                 "would take a pass over memory or a message to have again), "
                 "auto (fast on GPUs where it fits --device-memory)")
      ->check(CLI::IsMember({"auto", "fast", "small"}))
      ->capture_default_str();
  app.add_option(
         "--collective-pieces", line.collectivePieces,
         "Pieces in which gathers and scatters of sequence parallelism "
         "run beside products; 1: whole, beside products that can wait; "
         "0, the default: by themselves")
      ->check(CLI::Range(0, 64));
  app.add_option("--vocab-size", options.vocabSize,
                 "Tokens of the vocabulary, where its file is not at hand");
}

static llvm::StringRef nameOf(llvm::StringRef word) {
  return word.split('=').first;
}

/// The option of Orrery's that `word` may be meant for, or "".
static std::string nearestOption(const CLI::App &app, llvm::StringRef word) {
  constexpr unsigned kMostEdits = 3;
  std::string nearest;
  unsigned least = kMostEdits + 1;
  for (const CLI::Option *option : app.get_options()) {
    std::string name = option->get_name();
    unsigned edits = nameOf(word).edit_distance(name, true, kMostEdits);
    if (edits < least) {
      least = edits;
      nearest = name;
    }
  }
  return nearest;
}

/// Tells what is wrong with `words`, those in front of `separator`, or of the
/// end, that are no options of Orrery's.
static std::nullopt_t failAt(const CLI::App &app,
                             const std::vector<std::string> &words, char **argv,
                             char **separator, char **end) {
  const std::string &first = words.front();
  if (!llvm::StringRef(first).starts_with("-")) {
    if (separator != end)
      return fail("'" + first +
                  "' is no option; only options of orrery-compile stand in "
                  "front of --");
    // Behind an interpreter or a launcher, which -- leaves out.
    auto script = llvm::find_if(
        words, [](llvm::StringRef word) { return word.ends_with(".py"); });
    const std::string &program = script == words.end() ? first : *script;
    std::string legal = "orrery-compile ";
    for (char **at = argv + 1; at != end && *at != first; ++at)
      legal += *at + std::string(" ");
    return fail("-- is missing in front of the training command '" + program +
                "'; write: " + legal + "-- " + program + " <arguments>");
  }
  std::string message = "no such option: " + nameOf(first).str();
  std::string nearest = nearestOption(app, first);
  if (!nearest.empty())
    message += "; nearest legal choice: " + nearest;
  else if (separator == end)
    message += "; options of training stand behind -- and its program: "
               "orrery-compile <options> -- pretrain_gpt.py <arguments>";
  else
    message += "; orrery-compile --help lists those in front of --";
  return fail(message);
}

/// Whether a plan can be written to `out`, as far as its folder tells.
static bool checkOut(llvm::StringRef out) {
  llvm::StringRef folder = llvm::sys::path::parent_path(out);
  if (llvm::sys::fs::is_directory(out))
    fail("--out=" + out + " is a folder; name a file in it, e.g. --out=" + out +
         (out.ends_with("/") ? "" : "/") + "job.plan");
  else if (folder.empty() || llvm::sys::fs::is_directory(folder))
    return true;
  else if (llvm::sys::fs::exists(folder))
    fail("--out=" + out + ": '" + folder + "' is no folder");
  else
    fail("--out=" + out + ": there is no folder '" + folder +
         "'; make it first, or choose another");
  return false;
}

bool orrery::standsInFront(const std::string &option) {
  CLI::App app;
  CommandLine line;
  Options options;
  declare(app, line, options);
  return app.get_option_no_throw(option) != nullptr;
}

/// The number of ranks from --world-size and --hostfile; 0 on an error.
static int64_t getWorldSize(const Options &options,
                            const std::vector<std::string> &arguments) {
  if (options.hostfile.empty()) {
    if (!options.hasWorldSize &&
        llvm::any_of(arguments, [](llvm::StringRef argument) {
          return argument.split('=').first == "--world-size";
        }))
      fail("--world-size stands behind --; put it in front");
    else if (!options.hasWorldSize)
      fail("the number of ranks is not given; add --world-size=N, e.g. "
           "--world-size=1, or --hostfile=FILE");
    else if (options.worldSize < 1)
      fail("--world-size=" + llvm::Twine(options.worldSize) +
           " is below the least, 1");
    return options.worldSize;
  }
  frontend::Hostfile hosts = frontend::readHostfile(options.hostfile);
  if (!hosts.ok()) {
    fail("--hostfile=" + options.hostfile + " cannot be used:\n" +
         llvm::StringRef(job::format(hosts.errors)).rtrim());
    return 0;
  }
  if (options.hasWorldSize && options.worldSize != hosts.worldSize()) {
    fail("--world-size=" + llvm::Twine(options.worldSize) + " and " +
         options.hostfile + " (" + llvm::Twine(hosts.worldSize()) +
         " slots) disagree; drop one");
    return 0;
  }
  return hosts.worldSize();
}

/// Tells what is wrong with --target, if anything.
static bool checkTarget(llvm::StringRef target) {
  // Generated code rounds pairs of numbers, which came with sm_80.
  constexpr unsigned kLeast = 80;
  unsigned arch = 0;
  llvm::StringRef number = target;
  if (target == "cpu")
    return true;
  if (!number.consume_front("sm_") || number.getAsInteger(10, arch)) {
    fail("--target=" + target +
         " is no target; choose cpu or sm_<n>, e.g. sm_90");
    return false;
  }
  if (arch < kLeast)
    fail("--target=" + target + " is below the least, sm_" +
         llvm::Twine(kLeast));
  return arch >= kLeast;
}

std::optional<CommandLine> orrery::readCommandLine(int argc, char **argv) {
  char **separator = std::find(argv, argv + argc, std::string_view("--"));
  CommandLine line;
  Options options;
  CLI::App app("Compiles a training command line to a plan.\n\n"
               "  orrery-compile --world-size=4 --out=gpt.plan -- "
               "pretrain_gpt.py --num-layers 24 …\n",
               "orrery-compile");
  declare(app, line, options);
  app.allow_extras(); // told by failAt
  try {
    app.parse(static_cast<int>(separator - argv), argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) { // --help
      llvm::outs() << app.help();
      std::exit(0);
    }
    llvm::StringRef text = error.what(); // "Could not convert: --a = b"
    if (text.consume_front("Could not convert: "))
      return fail(text + " is no whole number");
    return fail(text);
  }
  if (std::vector<std::string> extras = app.remaining(); !extras.empty())
    return failAt(app, extras, argv, separator, argv + argc);
  options.hasWorldSize = app.count("--world-size");
  options.hasVocabSize = app.count("--vocab-size");
  if (separator + 1 >= argv + argc)
    return fail("no training command; append: -- pretrain_gpt.py <arguments>");
  line.program = separator[1];
  line.arguments.assign(separator + 2, argv + argc);
  if (line.from != "megatron-lm")
    return fail("--from=" + line.from +
                " is not supported yet; supported: megatron-lm");
  line.worldSize = getWorldSize(options, line.arguments);
  if (line.worldSize < 1)
    return std::nullopt;
  if (!checkTarget(line.target) || !checkOut(line.out))
    return std::nullopt;
  if (!options.memory.empty()) {
    auto bytes = parseBytes(options.memory);
    if (!bytes)
      return fail("--device-memory=" + options.memory +
                  " is no size; write for example 80GiB");
    if (*bytes < kLeastMemory)
      return fail(
          "--device-memory=" + options.memory + " is " + llvm::Twine(*bytes) +
          " bytes, below the least, 1MiB; write " + "for example 80GiB");
    line.deviceMemory = *bytes;
  }
  if (options.hasVocabSize) {
    if (options.vocabSize < 1)
      return fail("--vocab-size=" + llvm::Twine(options.vocabSize) +
                  " is below the least, 1");
    line.vocabSize = options.vocabSize;
  }
  if (line.out.empty() && !line.explain && line.dumpFolder.empty())
    return fail(
        "nothing to do: give --out=PLAN, --explain or --dump-ir=FOLDER");
  return line;
}
