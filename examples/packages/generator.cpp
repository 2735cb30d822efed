// A made-up universe: names from syllables, everything unequal as Zipf found it.

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "universe.h"

namespace {

constexpr int64_t kProgressEvery = 1000;

constexpr const char* kSyllables[] = {"ka", "lo", "mi",  "ren", "sta", "tor", "ux",  "vel", "zo",
                                      "an", "be", "cor", "di",  "el",  "fra", "gno", "hy",  "in"};
constexpr const char* kSections[] = {"libs",  "libdevel", "python", "perl",  "doc",  "devel",
                                     "games", "net",      "admin",  "utils", "text", "science",
                                     "sound", "graphics", "web",    "fonts", "math", "editors"};
constexpr const char* kQualities[] = {"fast", "small", "portable", "modern", "classic", "simple"};
constexpr const char* kThings[] = {"library",     "text editor", "puzzle game",   "mail client",
                                   "file viewer", "web server",  "audio decoder", "compiler"};
constexpr std::pair<const char*, const char*> kTags[] = {
    {"game", "puzzle"},           {"game", "strategy"},   {"interface", "text-mode"},
    {"interface", "commandline"}, {"interface", "x11"},   {"implemented-in", "c"},
    {"implemented-in", "python"}, {"role", "program"},    {"role", "shared-lib"},
    {"use", "editing"},           {"use", "gameplaying"}, {"works-with", "text"}};

// SplitMix64: small, and the same on every machine.
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next() {
        uint64_t z = (state_ += 0x9E3779B97F4A7C15);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
    int64_t below(int64_t n) { return static_cast<int64_t>(next() % static_cast<uint64_t>(n)); }
    double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
    // 0 is the most frequent of n; the k-th has about 1/k of its share.
    int64_t zipf(int64_t n) {
        return std::min(n - 1, static_cast<int64_t>(std::pow(static_cast<double>(n), unit())) - 1);
    }
    template <typename T, size_t N>
    const T& pick(const T (&items)[N]) {
        return items[zipf(N)];
    }

private:
    uint64_t state_;
};

std::set<std::string> make_names(int64_t count, Random& random) {
    std::set<std::string> names;
    while (static_cast<int64_t>(names.size()) < count) {
        std::string name = random.below(3) == 0 ? "lib" : "";
        const int64_t syllables = 2 + random.below(3);
        for (int64_t i = 0; i < syllables; i++) {
            name += kSyllables[random.below(std::size(kSyllables))];
        }
        if (random.below(4) == 0) name += std::to_string(random.below(12));
        if (random.below(6) == 0) name += "-dev";
        names.insert(std::move(name));
    }
    return names;
}

std::string make_version(Random& random) {
    return std::to_string(random.zipf(20)) + "." + std::to_string(random.below(30)) + "-" +
           std::to_string(1 + random.zipf(9));
}

// How the packages rank in fame: a permutation of their ids.
std::vector<int64_t> make_ranking(int64_t count, Random& random) {
    std::vector<int64_t> ids(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; i++) ids[static_cast<size_t>(i)] = i + 1;
    for (int64_t i = count - 1; i > 0; i--) {
        std::swap(ids[static_cast<size_t>(i)], ids[static_cast<size_t>(random.below(i + 1))]);
    }
    return ids;
}

void add_dependencies(Universe& universe, int64_t id, const std::vector<int64_t>& ranking,
                      Random& random) {
    const auto packages = static_cast<int64_t>(universe.packages.size());
    constexpr std::string_view kKinds[] = {"depends", "recommends", "suggests", "conflicts"};
    const int64_t groups = random.zipf(16);
    int64_t position = 0;
    for (int64_t group = 1; group <= groups; group++) {
        const int64_t alternatives = random.below(8) == 0 ? 2 : 1;
        const std::string_view kind = random.pick(kKinds);
        for (int64_t a = 0; a < alternatives; a++) {
            Dependency edge;
            edge.from = id;
            edge.position = ++position;
            edge.kind = kind;
            edge.alternative_group = group;
            edge.alternatives = alternatives;
            if (random.below(25) == 0) {
                edge.to_name = "virtual-" + std::string(random.pick(kSections));
            } else {
                const int64_t to = ranking[static_cast<size_t>(random.zipf(packages))];
                edge.to_package = to;
                edge.to_name = universe.packages[static_cast<size_t>(to - 1)].name;
                if (random.below(2) == 0) edge.relation = ">=", edge.version = make_version(random);
            }
            universe.dependencies.push_back(std::move(edge));
        }
    }
}

void add_tags(Universe& universe, int64_t id, Random& random) {
    std::set<std::pair<std::string, std::string>> tags;
    const int64_t count = random.below(6);
    for (int64_t i = 0; i < count; i++) tags.insert(kTags[random.below(std::size(kTags))]);
    for (const auto& [facet, value] : tags) universe.tags.push_back({id, facet, value});
}

}  // namespace

Universe generate_universe(int64_t packages, const Progress& progress) {
    Random random(20240229);
    Universe universe;
    const int64_t maintainers = std::max<int64_t>(1, packages / 30);
    for (int64_t i = 0; i < maintainers; i++) {
        const std::string name = *make_names(1, random).begin();
        universe.maintainers.push_back({name, name + std::to_string(i) + "@example.org"});
    }
    for (const std::string& name : make_names(packages, random)) {
        Package package;
        package.name = package.source = name;
        package.version = make_version(random);
        package.architecture = random.below(3) == 0 ? "all" : "amd64";
        package.section = random.pick(kSections);
        package.priority = random.below(200) == 0 ? "important" : "optional";
        package.essential = random.below(2000) == 0;
        package.maintainer = 1 + random.zipf(maintainers);
        if (random.below(20) != 0) package.homepage = "https://" + name + ".example.org/";
        package.summary = std::string(random.pick(kQualities)) + " " + random.pick(kThings);
        package.installed_size = 1024 * (8 + packages * 40 / (1 + random.below(packages)));
        package.download_size = *package.installed_size / (2 + random.below(4));
        universe.packages.push_back(std::move(package));
        const auto made = static_cast<int64_t>(universe.packages.size());
        if (made % kProgressEvery == 0) progress(made);
    }
    const std::vector<int64_t> ranking = make_ranking(packages, random);
    for (int64_t id = 1; id <= packages; id++) {
        add_dependencies(universe, id, ranking, random);
        add_tags(universe, id, random);
        if (random.below(6) == 0) {
            universe.provisions.push_back(
                {id, 1, "virtual-" + std::string(random.pick(kSections)), ""});
        }
    }
    progress(packages);
    return universe;
}
