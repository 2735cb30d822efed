// The schema, and one function per table that turns structs into columns.
//
// A package is a row and will be a node of a graph; `depends` has its two ends as ids and will be
// the edges from package to package. Keys that begin with the package keep what belongs to it
// together: "all tags of package 7" is a range of the primary key.

#include "load.h"

#include <chrono>

#include "arrow_rows.h"
#include "screen.h"

using trefoil::Result;
using trefoil::Session;
using trefoil::Status;

namespace {

constexpr const char* kSchema[] = {
    R"(CREATE TABLE maintainer (
    id    BIGINT PRIMARY KEY,
    name  TEXT NOT NULL,
    email TEXT
))",
    R"(CREATE TABLE package (
    id             BIGINT PRIMARY KEY,  -- in the order of the names
    name           TEXT NOT NULL,
    version        TEXT NOT NULL,
    architecture   TEXT NOT NULL,
    source         TEXT NOT NULL,       -- the source package it is built from
    section        TEXT,
    priority       TEXT,
    essential      BOOLEAN NOT NULL,
    maintainer     BIGINT NOT NULL,     -- maintainer.id
    homepage       TEXT,
    summary        TEXT,
    description    TEXT,
    installed_size BIGINT,              -- bytes
    download_size  BIGINT               -- bytes
))",
    R"(CREATE TABLE depends (
    from_package      BIGINT NOT NULL,  -- package.id
    position          BIGINT NOT NULL,
    kind              TEXT NOT NULL,    -- depends, pre-depends, recommends, conflicts, ...
    alternative_group BIGINT NOT NULL,  -- "a | b" are two rows of one group
    alternatives      BIGINT NOT NULL,  -- rows of this group
    to_name           TEXT NOT NULL,
    to_package        BIGINT,           -- package.id; NULL if no package has that name
    relation          TEXT,             -- >=, <<, =, ...
    version           TEXT,
    PRIMARY KEY (from_package, position)
))",
    R"(CREATE TABLE provides (
    package  BIGINT NOT NULL,
    position BIGINT NOT NULL,
    name     TEXT NOT NULL,
    version  TEXT,
    PRIMARY KEY (package, position)
))",
    R"(CREATE TABLE tag (
    package BIGINT NOT NULL,
    facet   TEXT NOT NULL,              -- interface, implemented-in, role, ...
    value   TEXT NOT NULL,              -- text-mode, c, program, ...
    PRIMARY KEY (package, facet, value)
))"};

ArrowRows maintainer_rows(const Universe& universe) {
    ArrowRows rows;
    auto& id = rows.int64("id");
    auto& name = rows.text("name");
    auto& email = rows.text("email");
    int64_t next = 0;
    for (const Maintainer& m : universe.maintainers) {
        id.add(++next);
        name.add(m.name);
        email.add_text_or_null(m.email);
        rows.end_row();
    }
    return rows;
}

ArrowRows package_rows(const Universe& universe) {
    ArrowRows rows;
    auto& id = rows.int64("id");
    auto& name = rows.text("name");
    auto& version = rows.text("version");
    auto& architecture = rows.text("architecture");
    auto& source = rows.text("source");
    auto& section = rows.text("section");
    auto& priority = rows.text("priority");
    auto& essential = rows.boolean("essential");
    auto& maintainer = rows.int64("maintainer");
    auto& homepage = rows.text("homepage");
    auto& summary = rows.text("summary");
    auto& description = rows.text("description");
    auto& installed_size = rows.int64("installed_size");
    auto& download_size = rows.int64("download_size");
    int64_t next = 0;
    for (const Package& p : universe.packages) {
        id.add(++next);
        name.add(p.name);
        version.add(p.version);
        architecture.add(p.architecture);
        source.add(p.source);
        section.add_text_or_null(p.section);
        priority.add_text_or_null(p.priority);
        essential.add(p.essential);
        maintainer.add(p.maintainer);
        homepage.add_text_or_null(p.homepage);
        summary.add_text_or_null(p.summary);
        description.add_text_or_null(p.description);
        installed_size.add(p.installed_size);
        download_size.add(p.download_size);
        rows.end_row();
    }
    return rows;
}

ArrowRows depends_rows(const Universe& universe) {
    ArrowRows rows;
    auto& from_package = rows.int64("from_package");
    auto& position = rows.int64("position");
    auto& kind = rows.text("kind");
    auto& alternative_group = rows.int64("alternative_group");
    auto& alternatives = rows.int64("alternatives");
    auto& to_name = rows.text("to_name");
    auto& to_package = rows.int64("to_package");
    auto& relation = rows.text("relation");
    auto& version = rows.text("version");
    for (const Dependency& d : universe.dependencies) {
        from_package.add(d.from);
        position.add(d.position);
        kind.add(d.kind);
        alternative_group.add(d.alternative_group);
        alternatives.add(d.alternatives);
        to_name.add(d.to_name);
        to_package.add(d.to_package);
        relation.add_text_or_null(d.relation);
        version.add_text_or_null(d.version);
        rows.end_row();
    }
    return rows;
}

ArrowRows provides_rows(const Universe& universe) {
    ArrowRows rows;
    auto& package = rows.int64("package");
    auto& position = rows.int64("position");
    auto& name = rows.text("name");
    auto& version = rows.text("version");
    for (const Provision& p : universe.provisions) {
        package.add(p.package);
        position.add(p.position);
        name.add(p.name);
        version.add_text_or_null(p.version);
        rows.end_row();
    }
    return rows;
}

ArrowRows tag_rows(const Universe& universe) {
    ArrowRows rows;
    auto& package = rows.int64("package");
    auto& facet = rows.text("facet");
    auto& value = rows.text("value");
    for (const Tag& t : universe.tags) {
        package.add(t.package);
        facet.add(t.facet);
        value.add(t.value);
        rows.end_row();
    }
    return rows;
}

Status append(Session& session, const std::string& table, ArrowRows rows) {
    const auto begun = std::chrono::steady_clock::now();
    const int64_t expected = rows.row_count();
    screen::progress("      " + table + ": " + screen::grouped(expected) + " rows ...");
    uint64_t appended = 0;
    if (expected > 0) {
        ArrowArrayStream stream;
        rows.export_stream(&stream);
        const Result<uint64_t> result = session.append(table, &stream);
        if (!result.ok()) return result.status();
        appended = *result;
    }
    screen::finish("      " + screen::padded(table, 12) +
                   screen::padded_left(screen::grouped(static_cast<int64_t>(appended)), 10) +
                   " rows  " + screen::since(begun));
    return Status();
}

}  // namespace

int64_t packages_of_earlier_run(Session& session) {
    auto rows = session.execute("SELECT count(*) FROM package");
    if (!rows.ok()) return 0;
    auto first = rows->next();
    return first.ok() && first->has_value() ? (*first)->int64(0, 0) : 0;
}

Status load_universe(Session& session, const Universe& universe) {
    for (const std::string& table : kTables) {
        if (const auto done = session.execute("DROP TABLE IF EXISTS " + table); !done.ok()) {
            return done.status();
        }
    }
    for (const char* statement : kSchema) {
        if (const auto done = session.execute(statement); !done.ok()) return done.status();
    }
    if (Status s = append(session, "maintainer", maintainer_rows(universe)); !s.ok()) return s;
    if (Status s = append(session, "package", package_rows(universe)); !s.ok()) return s;
    if (Status s = append(session, "depends", depends_rows(universe)); !s.ok()) return s;
    if (Status s = append(session, "provides", provides_rows(universe)); !s.ok()) return s;
    return append(session, "tag", tag_rows(universe));
}
