// Reads stanzas ("Field: value" lines, a blank line between packages) and ties their names
// together.

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "universe.h"

namespace {

using Stanza = std::map<std::string, std::string, std::less<>>;

constexpr int64_t kProgressEvery = 1000;

// Fields that relate packages, and what they are called in the database.
constexpr std::pair<std::string_view, std::string_view> kRelations[] = {
    {"Pre-Depends", "pre-depends"}, {"Depends", "depends"},   {"Recommends", "recommends"},
    {"Suggests", "suggests"},       {"Enhances", "enhances"}, {"Conflicts", "conflicts"},
    {"Breaks", "breaks"},           {"Replaces", "replaces"},
};

std::string_view trim(std::string_view text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) {
        text.remove_prefix(1);
    }
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
        text.remove_suffix(1);
    }
    return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const size_t end = text.find(separator);
        if (const std::string_view part = trim(text.substr(0, end)); !part.empty()) {
            parts.push_back(part);
        }
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
    return parts;
}

std::string field(const Stanza& stanza, std::string_view name) {
    const auto found = stanza.find(name);
    return found == stanza.end() ? "" : found->second;
}

std::optional<int64_t> number(const Stanza& stanza, std::string_view name) {
    const std::string text = field(stanza, name);
    int64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || parsed.ec != std::errc()) return std::nullopt;
    return value;
}

// Calls `take` with each stanza of the command's output.
void each_stanza(const std::string& command, const std::function<void(Stanza)>& take) {
    std::FILE* input = popen(command.c_str(), "r");
    if (input == nullptr) return;
    Stanza stanza;
    std::string* last = nullptr;  // the value that a continuation line belongs to
    char* line = nullptr;
    size_t capacity = 0;
    for (;;) {
        const ssize_t length = getline(&line, &capacity, input);
        const std::string_view text =
            length > 0 ? std::string_view(line, static_cast<size_t>(length)) : "";
        const std::string_view content = trim(text);
        if (content.empty()) {
            if (!stanza.empty()) take(std::exchange(stanza, {}));
            last = nullptr;
            if (length < 0) break;
        } else if (text.front() == ' ' || text.front() == '\t') {
            if (last != nullptr) *last += "\n" + std::string(content);
        } else if (const size_t colon = content.find(':'); colon != content.npos) {
            last = &stanza[std::string(content.substr(0, colon))];
            *last = trim(content.substr(colon + 1));
        }
    }
    std::free(line);
    pclose(input);
}

// "Matthias Klose <doko@debian.org>".
Maintainer parse_maintainer(std::string_view text) {
    const size_t open = text.rfind('<');
    if (open == text.npos) return {std::string(trim(text)), ""};
    const size_t close = text.find('>', open);
    return {
        std::string(trim(text.substr(0, open))),
        std::string(trim(text.substr(open + 1, close == text.npos ? close : close - open - 1)))};
}

// "python3:any (>= 3.9) [amd64]": a name, and a relation and version if there is one.
Dependency parse_alternative(std::string_view text) {
    Dependency out;
    const size_t open = text.find('(');
    std::string_view name = trim(text.substr(0, std::min(open, text.find_first_of("[<"))));
    if (const size_t qualifier = name.find(':'); qualifier != name.npos)
        name = name.substr(0, qualifier);
    out.to_name = name;
    if (open == text.npos) return out;
    const size_t close = text.find(')', open);
    const std::string_view inside =
        trim(text.substr(open + 1, close == text.npos ? close : close - open - 1));
    const size_t operator_end = std::min(inside.find_first_not_of("<>="), inside.size());
    out.relation = inside.substr(0, operator_end);
    out.version = trim(inside.substr(operator_end));
    return out;
}

// What is between the lines of a description: "." stands for an empty one.
std::string unfold(std::string_view text) {
    std::string out;
    for (const std::string_view line : split(text, '\n')) {
        if (!out.empty()) out += '\n';
        if (line != ".") out += line;
    }
    return out;
}

class Reader {
public:
    // Keeps the newest version of each package, as apt would install it.
    void take(Stanza stanza) {
        const std::string name = field(stanza, "Package");
        if (name.empty()) return;
        const auto [found, is_new] =
            newest_.try_emplace({name, field(stanza, "Architecture")}, std::move(stanza));
        if (is_new) return;
        universe_.older_versions++;
        if (compare_versions(field(stanza, "Version"), field(found->second, "Version")) > 0) {
            found->second = std::move(stanza);
        }
    }

    Universe finish() {
        for (const auto& [key, stanza] : newest_) {
            universe_.packages.push_back(package(stanza));
            id_of_.try_emplace(key.first, static_cast<int64_t>(universe_.packages.size()));
        }
        int64_t id = 0;
        for (const auto& [key, stanza] : newest_) {
            id++;
            add_relations(id, stanza);
            add_tags(id, stanza);
            add_provisions(id, stanza);
        }
        return std::move(universe_);
    }

    int64_t count() const {
        return static_cast<int64_t>(newest_.size()) + universe_.older_versions;
    }

private:
    Package package(const Stanza& stanza) {
        Package out;
        out.name = field(stanza, "Package");
        out.version = field(stanza, "Version");
        out.architecture = field(stanza, "Architecture");
        out.section = field(stanza, "Section");
        out.priority = field(stanza, "Priority");
        out.homepage = field(stanza, "Homepage");
        out.essential = field(stanza, "Essential") == "yes";
        out.download_size = number(stanza, "Size");
        if (const auto kib = number(stanza, "Installed-Size")) out.installed_size = *kib * 1024;
        const std::string source =
            field(stanza, "Source");  // "bash (5.2.15-2)", if it is not the name
        out.source =
            source.empty() ? out.name : std::string(trim(source.substr(0, source.find('('))));
        const std::string description = field(stanza, "Description");
        const size_t end = std::min(description.find('\n'), description.size());
        out.summary = description.substr(0, end);
        out.description = unfold(std::string_view(description).substr(end));
        out.maintainer = maintainer(field(stanza, "Maintainer"));
        return out;
    }

    // By address, since names are spelt in many ways.
    int64_t maintainer(const std::string& text) {
        Maintainer parsed = parse_maintainer(text);
        const std::string& key = parsed.email.empty() ? parsed.name : parsed.email;
        const auto [found, is_new] =
            maintainer_of_.try_emplace(key, static_cast<int64_t>(universe_.maintainers.size()) + 1);
        if (is_new) universe_.maintainers.push_back(std::move(parsed));
        return found->second;
    }

    void add_relations(int64_t id, const Stanza& stanza) {
        int64_t position = 0;
        int64_t group = 0;
        for (const auto& [name, kind] : kRelations) {
            const std::string relations = field(stanza, name);
            for (const std::string_view relation : split(relations, ',')) {
                group++;
                const std::vector<std::string_view> alternatives = split(relation, '|');
                for (const std::string_view alternative : alternatives) {
                    Dependency edge = parse_alternative(alternative);
                    edge.from = id;
                    edge.position = ++position;
                    edge.kind = kind;
                    edge.alternative_group = group;
                    edge.alternatives = static_cast<int64_t>(alternatives.size());
                    const auto found = id_of_.find(edge.to_name);
                    if (found != id_of_.end()) edge.to_package = found->second;
                    universe_.dependencies.push_back(std::move(edge));
                }
            }
        }
    }

    void add_tags(int64_t id, const Stanza& stanza) {
        const std::string text = field(stanza, "Tag");
        std::set<std::pair<std::string, std::string>> tags;
        for (const std::string_view tag : split(text, ',')) {
            const size_t colons = tag.find("::");
            if (colons == tag.npos) continue;
            tags.emplace(tag.substr(0, colons), tag.substr(colons + 2));
        }
        for (const auto& [facet, value] : tags) universe_.tags.push_back({id, facet, value});
    }

    void add_provisions(int64_t id, const Stanza& stanza) {
        const std::string text = field(stanza, "Provides");
        int64_t position = 0;
        for (const std::string_view provided : split(text, ',')) {
            const Dependency parsed = parse_alternative(provided);
            universe_.provisions.push_back({id, ++position, parsed.to_name, parsed.version});
        }
    }

    Universe universe_;
    std::map<std::pair<std::string, std::string>, Stanza> newest_;  // by name and architecture
    std::unordered_map<std::string, int64_t> id_of_;
    std::unordered_map<std::string, int64_t> maintainer_of_;
};

// dpkg's order of one character: "~" before the end, letters before all others.
int order_of(std::string_view text, size_t i) {
    if (i >= text.size() || std::isdigit(static_cast<unsigned char>(text[i])) != 0) return 0;
    if (text[i] == '~') return -1;
    const auto c = static_cast<unsigned char>(text[i]);
    return std::isalpha(c) != 0 ? c : c + 256;
}

bool is_digit(std::string_view text, size_t i) {
    return i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0;
}

// Alternates between stretches of non-digits, compared by order_of(), and numbers.
int compare_parts(std::string_view a, std::string_view b) {
    size_t i = 0;
    size_t j = 0;
    while (i < a.size() || j < b.size()) {
        while ((i < a.size() && !is_digit(a, i)) || (j < b.size() && !is_digit(b, j))) {
            const int difference = order_of(a, i) - order_of(b, j);
            if (difference != 0) return difference;
            i++, j++;
        }
        while (i < a.size() && a[i] == '0') i++;
        while (j < b.size() && b[j] == '0') j++;
        int difference = 0;
        while (is_digit(a, i) && is_digit(b, j)) {
            if (difference == 0) difference = a[i] - b[j];
            i++, j++;
        }
        if (is_digit(a, i)) return 1;
        if (is_digit(b, j)) return -1;
        if (difference != 0) return difference;
    }
    return 0;
}

}  // namespace

int compare_versions(std::string_view a, std::string_view b) {
    struct Parts {
        long epoch = 0;
        std::string_view upstream, revision;
    };
    const auto parts_of = [](std::string_view version) {
        Parts parts;
        if (const size_t colon = version.find(':'); colon != version.npos) {
            parts.epoch = std::atol(std::string(version.substr(0, colon)).c_str());
            version.remove_prefix(colon + 1);
        }
        const size_t dash = version.rfind('-');
        parts.upstream = version.substr(0, dash);
        if (dash != version.npos) parts.revision = version.substr(dash + 1);
        return parts;
    };
    const Parts left = parts_of(a);
    const Parts right = parts_of(b);
    if (left.epoch != right.epoch) return left.epoch < right.epoch ? -1 : 1;
    const int upstream = compare_parts(left.upstream, right.upstream);
    return upstream != 0 ? upstream : compare_parts(left.revision, right.revision);
}

Universe read_universe(const std::string& command, const Progress& progress) {
    Reader reader;
    each_stanza(command, [&](Stanza stanza) {
        reader.take(std::move(stanza));
        if (reader.count() % kProgressEvery == 0) progress(reader.count());
    });
    progress(reader.count());
    return reader.finish();
}
