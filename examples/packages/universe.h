// A universe of packages, as plain structs: what the apt index says, or what the generator made up.
//
//     maintainer 1 --- n package 1 --- n dependency n --- 1 package
//                               1 --- n tag, provision
//
// Ids count from 1, packages in the order of their names.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct Maintainer {
    std::string name;
    std::string email;
};

struct Package {
    std::string name, version, architecture, source, section, priority, homepage;
    std::string summary;      // one line
    std::string description;  // the lines below it, if the index has them
    bool essential = false;
    int64_t maintainer = 0;
    std::optional<int64_t> installed_size;  // bytes
    std::optional<int64_t> download_size;   // bytes
};

// One alternative of one relation: "Depends: a (>= 2) | b" are two of one group.
struct Dependency {
    int64_t from = 0;
    int64_t position = 0;           // within the package, from 1
    std::string_view kind;          // "depends", "recommends", "conflicts", ...
    int64_t alternative_group = 0;  // within the package, from 1
    int64_t alternatives = 0;       // how many there are in the group
    std::string to_name;
    std::optional<int64_t>
        to_package;  // none if no package has that name: virtual, or not in the index
    std::string relation, version;  // ">=", "2.34"; "" if any version will do
};

struct Tag {
    int64_t package = 0;
    std::string facet, value;  // "interface", "text-mode"
};

struct Provision {
    int64_t package = 0;
    int64_t position = 0;
    std::string name, version;
};

struct Universe {
    std::vector<Maintainer> maintainers;
    std::vector<Package> packages;
    std::vector<Dependency> dependencies;
    std::vector<Tag> tags;
    std::vector<Provision> provisions;
    int64_t older_versions =
        0;  // entries of the index that a newer version of the package replaced
};

// Called now and then with the number of packages read or made so far.
using Progress = std::function<void(int64_t)>;

// Reads an index in the form of Debian's Packages files from the output of a shell command.
// Empty if the command does not exist or prints no packages.
Universe read_universe(const std::string& command, const Progress& progress);

// Makes up `packages` packages of the same shape: a few are wanted by nearly all, most by none;
// sizes and maintainers are as unequal as in life. The same `packages` give the same universe.
Universe generate_universe(int64_t packages, const Progress& progress);

// Negative, zero or positive, as dpkg orders versions: [epoch:]upstream[-revision], "~" before
// everything.
int compare_versions(std::string_view a, std::string_view b);
