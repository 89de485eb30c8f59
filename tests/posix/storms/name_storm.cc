// name_storm: several processes make, move, link, list and remove names, append and replace in shared
// directories, and each checks what it sees. Linked statically: it also runs in the lab's nodes.
//
//   name_storm --way DIRECTORY [--way THE-SAME-BY-ANOTHER-MOUNT] [--storm NAME]... [--seed N] [--rounds N]
//
// Exit status: 0 nothing wrong; 1 something is, described on standard output; 2 it could not run.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "tests/posix/storms/storms.h"

namespace {

using namespace ocfsgw::storms;  // NOLINT(google-build-using-namespace): this is its program

struct Storm {
  const char* name;
  bool (*blow)(const Scene&);
};

constexpr Storm kStorms[] = {{"creators", Creators},    {"lock_files", LockFiles},
                             {"movers", Movers},        {"replacers", Replacers},
                             {"linkers", Linkers},      {"listers", Listers},
                             {"appenders", Appenders},  {"reading_appenders", ReadingAppenders},
                             {"neighbours", Neighbours}};

}  // namespace

int main(int argc, char** argv) {
  Scene scene;
  std::vector<std::string> wanted;
  CLI::App app("Storms of changes of names, each look checked");
  app.add_option("--way", scene.ways,
                 "the directory; by several mounts, of which the first makes what there is")
      ->required();
  app.add_option("--storm", wanted, "only these");
  app.add_option("--seed", scene.seed, "decides what the processes do, but not who is first");
  app.add_option("--rounds", scene.rounds, "how long");
  app.add_option("--processes", scene.processes, "how many")->check(CLI::Range(3, 60));
  app.add_flag("--late", scene.late, "changes by one way may be seen late by another");
  app.add_option("--settle", scene.settle, "shell command after which they are not late any more");
  app.add_flag("--stale", scene.stale, "opening a file that is being replaced may fail");
  CLI11_PARSE(app, argc, argv);
  try {
    for (const Storm& storm : kStorms) {
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), storm.name) == wanted.end()) continue;
      if (storm.blow(scene)) continue;
      std::cout << "Seed " << scene.seed << ". Replay: name_storm --storm " << storm.name << " --seed "
                << scene.seed << " --rounds " << scene.rounds << " --processes " << scene.processes
                << (scene.late ? " --late" : "") << (scene.stale ? " --stale" : "");
      for (const std::string& way : scene.ways) std::cout << " --way " << way;
      if (!scene.settle.empty()) std::cout << " --settle '" << scene.settle << "'";
      std::cout << std::endl;
      return 1;
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "name_storm: " << error.what() << std::endl;
    return 2;
  }
}
