// The manifest: writing and reading its rows.

#include "table/manifest.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "table/analysis.h"
#include "table/manifest_format.h"
#include "table/segment.h"

namespace trefoil::table {
namespace {

void append_big_endian(uint64_t v, int bytes, std::string* out) {
    for (int i = bytes - 1; i >= 0; i--) out->push_back(static_cast<char>(v >> (8 * i)));
}

uint64_t big_endian(Bytes key, size_t at, int bytes) {
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | static_cast<uint8_t>(key[at + static_cast<size_t>(i)]);
    return v;
}

constexpr size_t kTableKeyBytes = 1 + 4;
constexpr size_t kPartKeyBytes = kTableKeyBytes + 8;

struct SegmentEntry {
    uint64_t segment_id = 0, first_row_id = 0, rows = 0;
    uint8_t flags = 0;
    std::vector<FileId> files;  // its own first
};

Result<std::vector<SegmentEntry>> read_entries(const ReadTransaction& root, uint32_t table) {
    std::vector<SegmentEntry> entries;
    RETURN_IF_ERROR(root.for_each(Keyspace::kManifest, KeyRange::prefix(manifest_key('s', table)),
                                  [&](Bytes key, Bytes value) -> Result<Visit> {
                                      Reader in(value);
                                      SegmentEntry e;
                                      e.files.push_back(in.u64());
                                      e.first_row_id = in.u64();
                                      e.rows = in.u64();
                                      e.flags = in.u8();
                                      while (in.ok() && !in.at_end()) e.files.push_back(in.u64());
                                      if (!in.ok() || key.size() != kPartKeyBytes) {
                                          return Status::corruption(
                                              "a segment entry of the manifest is malformed");
                                      }
                                      e.segment_id = big_endian(key, kTableKeyBytes, 8);
                                      entries.push_back(std::move(e));
                                      return Visit::kNext;
                                  }));
    return entries;
}

Result<DeadRowsPtr> read_dead_rows(const ReadTransaction& root, uint32_t table,
                                   const SegmentEntry& e) {
    ASSIGN_OR_RETURN(auto value,
                     root.find(Keyspace::kManifest, manifest_key('d', table, e.segment_id)));
    if (!value) return DeadRowsPtr();
    if (value->size() != (e.rows + 63) / 64 * 8) {
        return Status::corruption("a bitmap of dead rows has another size than its segment");
    }
    std::vector<uint64_t> words(value->size() / 8);
    std::memcpy(words.data(), value->data(), value->size());
    return std::make_shared<const DeadRows>(std::move(words));
}

Result<ZoneMap> read_zones(const ReadTransaction& root, const catalog::TableDef& table,
                           const SegmentEntry& e, const SegmentFiles& files) {
    ZoneMap map;
    for (const catalog::ColumnDef& c : table.columns) {
        if (!files.has(c.id)) {
            map.columns.push_back(constant_zones(c.missing, c.type, e.rows));
            continue;
        }
        ASSIGN_OR_RETURN(Bytes value, root.get(Keyspace::kStats,
                                               manifest_key('z', table.id, e.segment_id, c.id)));
        ASSIGN_OR_RETURN(ColumnZones zones, decode_zones(value, c.type));
        map.columns.push_back(std::move(zones));
    }
    return map;
}

// What an older version of the table has read already.
struct KnownFiles {
    std::map<FileId, ChunkPtr> chunks;
    std::map<FileId, std::shared_ptr<const index::KeyRun>> runs;

    KnownFiles(const TableVersion* known, const catalog::TableDef& def) {
        if (known == nullptr || catalog::encode(known->def()) != catalog::encode(def)) return;
        for (size_t i = 0; i < known->part_count(); i++) {
            const ChunkPtr& chunk = known->part(i).chunk;
            if (chunk->files()) chunks[chunk->files()->own()->name().id] = chunk;
        }
        for (size_t i = 0; i < known->index_count(); i++) {
            for (const RunPart& r : known->runs(i)) runs[r.run->file()->name().id] = r.run;
        }
    }
};

Result<Part> load_segment(const Store& store, const ReadTransaction& root,
                          const catalog::TablePtr& table, const SegmentEntry& e,
                          const KnownFiles& known) {
    if (auto chunk = known.chunks.find(e.files.front()); chunk != known.chunks.end()) {
        ASSIGN_OR_RETURN(DeadRowsPtr dead, read_dead_rows(root, table->id, e));
        return Part{chunk->second, std::move(dead), e.segment_id};
    }
    std::vector<std::shared_ptr<const DataFile>> opened;
    for (FileId id : e.files) {
        ASSIGN_OR_RETURN(auto file, store.open_file(FileKind::kSegment, id));
        opened.push_back(std::move(file));
    }
    ASSIGN_OR_RETURN(SegmentFilesPtr files, SegmentFiles::open(std::move(opened)));
    RowIds ids = RowIds::dense(e.first_row_id, e.rows);
    if (e.flags & kIdsListed) {
        ASSIGN_OR_RETURN(ids, files->row_ids());
    }
    ASSIGN_OR_RETURN(DeadRowsPtr dead, read_dead_rows(root, table->id, e));
    ASSIGN_OR_RETURN(ZoneMap zones, read_zones(root, *table, e, *files));
    ASSIGN_OR_RETURN(ChunkPtr chunk,
                     Chunk::in_file(table, std::move(ids), std::move(files), std::move(zones)));
    return Part{std::move(chunk), std::move(dead), e.segment_id};
}

Result<std::shared_ptr<const index::KeyRun>> load_run(const Store& store, FileId id,
                                                      const KnownFiles& known) {
    if (auto run = known.runs.find(id); run != known.runs.end()) return run->second;
    ASSIGN_OR_RETURN(auto file, store.open_file(FileKind::kIndexRun, id));
    return index::KeyRun::open(std::move(file));
}

// The runs of each index.
Result<std::vector<std::vector<RunPart>>> load_runs(const Store& store, const ReadTransaction& root,
                                                    const TableVersion& table,
                                                    const KnownFiles& known,
                                                    std::set<FileName>* files) {
    struct Ordered {
        size_t index;
        uint64_t order;
        RunPart part;
    };
    std::vector<Ordered> runs;
    RETURN_IF_ERROR(root.for_each(
        Keyspace::kManifest, KeyRange::prefix(manifest_key('r', table.def().id)),
        [&](Bytes key, Bytes value) -> Result<Visit> {
            Reader in(value);
            FileName name{FileKind::kIndexRun, in.u64()};
            RunPart part;
            part.row_id_base = in.u64();
            uint64_t order = in.u64();
            auto index = table.def().find_index(in.at_end() ? catalog::kFirstIndexId : in.u32());
            if (!in.ok() || key.size() != kPartKeyBytes || !index) {
                return Status::corruption("a run entry of the manifest is malformed");
            }
            part.run_id = big_endian(key, kTableKeyBytes, 8);
            ASSIGN_OR_RETURN(part.run, load_run(store, name.id, known));
            files->insert(name);
            runs.push_back({*index, order, std::move(part)});
            return Visit::kNext;
        }));
    std::sort(runs.begin(), runs.end(), [](auto& a, auto& b) { return a.order < b.order; });
    std::vector<std::vector<RunPart>> out(table.index_count());
    for (Ordered& r : runs) out[r.index].push_back(std::move(r.part));
    return out;
}

}  // namespace

std::string manifest_key(char tag, uint32_t table) {
    std::string key(1, tag);
    append_big_endian(table, 4, &key);
    return key;
}

std::string manifest_key(char tag, uint32_t table, uint64_t part) {
    std::string key = manifest_key(tag, table);
    append_big_endian(part, 8, &key);
    return key;
}

std::string manifest_key(char tag, uint32_t table, uint64_t part, uint32_t column) {
    std::string key = manifest_key(tag, table, part);
    append_big_endian(column, 4, &key);
    return key;
}

namespace {

Status put_entry(WriteTransaction& root, uint32_t table, const Part& part, bool patch) {
    const RowIds& ids = part.chunk->row_ids();
    const auto& files = part.chunk->files()->all();
    Writer out;
    out.u64(files.front()->name().id);
    out.u64(ids.first());
    out.u64(ids.count());
    out.u8(static_cast<uint8_t>((ids.is_dense() ? 0 : kIdsListed) | (patch ? kPatch : 0)));
    for (size_t i = 1; i < files.size(); i++) out.u64(files[i]->name().id);
    return root.put(Keyspace::kManifest, manifest_key('s', table, part.segment_id), out.data());
}

Status put_zones(WriteTransaction& root, uint32_t table, const Part& part, size_t column) {
    const catalog::ColumnDef& def = part.chunk->table().columns[column];
    return root.put(Keyspace::kStats, manifest_key('z', table, part.segment_id, def.id),
                    encode_zones(part.chunk->zones()->columns[column], def.type));
}

}  // namespace

Status put_segment(WriteTransaction& root, const catalog::TableDef& table, const Part& part,
                   bool patch) {
    RETURN_IF_ERROR(put_entry(root, table.id, part, patch));
    for (size_t i = 0; i < table.columns.size(); i++) {
        RETURN_IF_ERROR(put_zones(root, table.id, part, i));
    }
    return put_dead_rows(root, table.id, part);
}

Status put_segment_files(WriteTransaction& root, const catalog::TableDef& table, const Part& part,
                         bool patch) {
    RETURN_IF_ERROR(put_entry(root, table.id, part, patch));
    for (size_t i = 0; i < table.columns.size(); i++) {
        if (!part.chunk->files()->has_beside(table.columns[i].id)) continue;
        RETURN_IF_ERROR(put_zones(root, table.id, part, i));
    }
    return {};
}

Status put_dead_rows(WriteTransaction& root, uint32_t table, const Part& part) {
    if (!part.dead) return {};
    auto words = part.dead->words();
    Bytes bytes(reinterpret_cast<const char*>(words.data()), words.size_bytes());
    return root.put(Keyspace::kManifest, manifest_key('d', table, part.segment_id), bytes);
}

Status put_run(WriteTransaction& root, uint32_t table, uint32_t index_id, const RunPart& run) {
    Writer out;
    out.u64(run.run->file()->name().id);
    out.u64(run.row_id_base);
    out.u64(run.run_id);
    out.u32(index_id);
    return root.put(Keyspace::kManifest, manifest_key('r', table, run.run_id), out.data());
}

Status put_table_state(WriteTransaction& root, const TableVersion& table) {
    Writer out;
    out.u64(table.next_row_id());
    std::vector<uint32_t> moved;
    for (size_t i = 0; i < table.index_count(); i++) {
        if (table.keys_moved(i)) moved.push_back(table.index_def(i).id);
    }
    out.u8(kIndexesListed);
    out.u32(static_cast<uint32_t>(moved.size()));
    for (uint32_t id : moved) out.u32(id);
    return root.put(Keyspace::kManifest, manifest_key('t', table.def().id), out.data());
}

Status erase_segment(WriteTransaction& root, uint32_t table, uint64_t segment_id) {
    RETURN_IF_ERROR(root.erase(Keyspace::kManifest, manifest_key('s', table, segment_id)));
    RETURN_IF_ERROR(root.erase(Keyspace::kManifest, manifest_key('d', table, segment_id)));
    auto erased =
        root.erase_range(Keyspace::kStats, KeyRange::prefix(manifest_key('z', table, segment_id)));
    return erased.status();
}

Status erase_run(WriteTransaction& root, uint32_t table, uint64_t run_id) {
    return root.erase(Keyspace::kManifest, manifest_key('r', table, run_id));
}

Status erase_table(WriteTransaction& root, uint32_t table) {
    for (char tag : {'t', 's', 'd', 'r'}) {
        auto erased =
            root.erase_range(Keyspace::kManifest, KeyRange::prefix(manifest_key(tag, table)));
        RETURN_IF_ERROR(erased.status());
    }
    for (char tag : {'z', 'a'}) {
        auto erased =
            root.erase_range(Keyspace::kStats, KeyRange::prefix(manifest_key(tag, table)));
        RETURN_IF_ERROR(erased.status());
    }
    return root.erase(Keyspace::kCatalog, manifest_key('T', table));
}

Result<TableVersion> load_table(const Store& store, const ReadTransaction& root,
                                const catalog::TablePtr& def, const TableVersion* known_table,
                                std::set<FileName>* files, uint64_t* part_id_max) {
    TableVersion table(def);
    const KnownFiles known(known_table, *def);
    ASSIGN_OR_RETURN(auto state, root.find(Keyspace::kManifest, manifest_key('t', def->id)));
    if (state) {
        Reader in(*state);
        table.set_next_row_id(in.u64());
        const uint8_t flags = in.u8();
        std::vector<uint32_t> moved;
        if (flags & kPrimaryKeysMoved) moved.push_back(catalog::kFirstIndexId);
        const uint32_t listed = flags & kIndexesListed ? in.u32() : 0;
        for (uint32_t i = 0; i < listed && in.ok(); i++) moved.push_back(in.u32());
        for (uint32_t id : moved) {
            if (auto index = def->find_index(id)) table.set_keys_moved(*index);
        }
        if (!in.ok()) return Status::corruption("the state of a table is malformed");
    }
    ASSIGN_OR_RETURN(AnalysisPtr analysis, read_analysis(root, *def));
    table.statistics_cache().set_analysis(std::move(analysis));
    std::vector<Part> base, patches;
    ASSIGN_OR_RETURN(auto entries, read_entries(root, def->id));
    for (const SegmentEntry& e : entries) {
        ASSIGN_OR_RETURN(Part part, load_segment(store, root, def, e, known));
        for (FileId id : e.files) files->insert({FileKind::kSegment, id});
        *part_id_max = std::max(*part_id_max, e.segment_id);
        (e.flags & kPatch ? patches : base).push_back(std::move(part));
    }
    std::sort(base.begin(), base.end(), [](const Part& a, const Part& b) {
        return a.chunk->row_ids().first() < b.chunk->row_ids().first();
    });
    ASSIGN_OR_RETURN(auto runs, load_runs(store, root, table, known, files));
    for (const auto& of_index : runs) {
        for (const RunPart& r : of_index) *part_id_max = std::max(*part_id_max, r.run_id);
    }
    table.replace_segments(std::move(base), std::move(patches), std::move(runs), 0);
    return table;
}

}  // namespace trefoil::table
