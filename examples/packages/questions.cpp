// The statements are SQL that one could as well type into the shell.

#include "questions.h"

#include <chrono>
#include <cstdio>

#include "screen.h"

namespace {

constexpr const char* kLargestSections = R"(
SELECT section, count(*) AS packages, CAST(sum(installed_size) / 1e9 AS DECIMAL(12, 2)) AS gigabytes
FROM package
GROUP BY section
ORDER BY gigabytes DESC NULLS LAST
LIMIT 10)";

constexpr const char* kBusiestMaintainers = R"(
SELECT m.name, count(*) AS packages, count(DISTINCT p.section) AS sections
FROM package p JOIN maintainer m ON m.id = p.maintainer
GROUP BY m.name
ORDER BY packages DESC, m.name
LIMIT 10)";

constexpr const char* kMostNeededMaintainers = R"(
SELECT m.name, count(DISTINCT d.to_package) AS packages, count(DISTINCT d.from_package) AS needed_by
FROM depends d
JOIN package p ON p.id = d.to_package
JOIN maintainer m ON m.id = p.maintainer
WHERE d.kind IN ('depends', 'pre-depends')
GROUP BY m.name
ORDER BY needed_by DESC, m.name
LIMIT 10)";

// Only what leaves no alternative breaks. UNION drops what was found before, so that cycles end.
constexpr const char* kCostlyToRemove = R"(
WITH RECURSIVE candidate AS (
    SELECT d.to_package AS id
    FROM depends d JOIN package p ON p.id = d.to_package
    WHERE d.kind IN ('depends', 'pre-depends') AND d.alternatives = 1 AND p.name NOT LIKE 'lib%'
    GROUP BY d.to_package
    ORDER BY count(*) DESC, d.to_package
    LIMIT 8
), broken AS (
    SELECT id AS candidate, id AS package FROM candidate
    UNION
    SELECT b.candidate, d.from_package
    FROM broken b JOIN depends d ON d.to_package = b.package
    WHERE d.kind IN ('depends', 'pre-depends') AND d.alternatives = 1
)
SELECT c.name AS removed, count(*) - 1 AS packages_that_break,
       CAST(sum(p.installed_size) / 1e9 AS DECIMAL(12, 1)) AS gigabytes
FROM broken b
JOIN package p ON p.id = b.package
JOIN package c ON c.id = b.candidate
GROUP BY c.name
ORDER BY packages_that_break DESC, removed)";

constexpr const char* kBiggestOfSection = R"(
SELECT section, name, CAST(installed_size / 1e6 AS DECIMAL(12, 1)) AS megabytes,
       CAST(1e2 * installed_size / section_size AS DECIMAL(4, 1)) AS percent_of_section
FROM (SELECT section, name, installed_size,
             sum(installed_size) OVER (PARTITION BY section) AS section_size,
             row_number() OVER (PARTITION BY section ORDER BY installed_size DESC, name) AS place
      FROM package WHERE installed_size IS NOT NULL) AS ranked
WHERE place = 1
ORDER BY megabytes DESC, section
LIMIT 10)";

constexpr const char* kTerminalGames = R"(
SELECT p.name, p.summary
FROM tag game
JOIN tag interface ON interface.package = game.package
JOIN package p ON p.id = game.package
WHERE game.facet = 'game' AND interface.facet = 'interface' AND interface.value = 'text-mode'
GROUP BY p.name, p.summary
ORDER BY p.name
LIMIT 10)";

std::string indented(const std::string& sql) {
    std::string out = "   ";
    for (const char c : sql) {
        out += c;
        if (c == '\n') out += "   ";
    }
    return out;
}

}  // namespace

std::vector<Question> questions(int64_t package_id) {
    const std::string id = std::to_string(package_id);
    const std::string point = "SELECT id, name, version, summary FROM package WHERE id = " + id;
    const std::string range = "SELECT id, name, installed_size FROM package WHERE id BETWEEN " +
                              id + " AND " + std::to_string(package_id + 4);
    const std::string prefix =
        "SELECT position, to_name, relation, version FROM depends WHERE from_package = " + id +
        " AND kind = 'depends'";
    return {
        {"Which sections take the most room?", kLargestSections},
        {"Who maintains the most packages?", kBusiestMaintainers},
        {"On whose packages do the most others depend? (three tables)", kMostNeededMaintainers},
        {"What would be most costly to remove, with all that needs it? (recursive)",
         kCostlyToRemove},
        {"What is the biggest package of each section, and its share? (window)", kBiggestOfSection},
        {"Which games can be played in a terminal? (by tags)", kTerminalGames},
        {"One package by its key", point},
        {"... found how? By the learned index", "EXPLAIN ANALYZE " + point, true},
        {"A range of keys", range},
        {"... found how?", "EXPLAIN ANALYZE " + range, true},
        {"What one package depends on: by the front of a composite key", prefix},
        {"... found how?", "EXPLAIN ANALYZE " + prefix, true},
    };
}

trefoil::Status ask(trefoil::Session& session, const std::vector<Question>& questions) {
    for (const Question& question : questions) {
        const std::string sql = question.sql.substr(question.sql.starts_with('\n') ? 1 : 0);
        std::printf("\n── %s\n\n%s;\n\n", question.title.c_str(), indented(sql).c_str());
        const auto begun = std::chrono::steady_clock::now();
        auto rows = session.execute(sql);
        if (!rows.ok()) return rows.status();
        const trefoil::Status printed =
            question.plan ? screen::print_lines(*rows) : screen::print_table(*rows);
        if (!printed.ok()) return printed;
        std::printf("   %s\n", screen::since(begun).c_str());
    }
    return trefoil::Status();
}
