// ProbeFilter: what a probe says about one zone.

#include "access/row_probe.h"

#include <bit>

namespace trefoil::access {

ProbeFilter::ProbeFilter(const table::TableVersion& table, const std::vector<uint32_t>& projection,
                         const arrow::Schema& output, std::shared_ptr<RowProbe> probe)
    : table_(table), probe_(std::move(probe)) {
    auto keys = std::make_shared<arrow::Schema>();
    for (uint32_t c : probe_->columns()) {
        columns_.push_back(projection[c]);
        keys->fields.push_back(output.fields[c]);
    }
    keys_ = std::move(keys);
}

void ProbeFilter::refresh() {
    const uint64_t now = probe_->generation();
    if (reader_ && now == generation_) return;
    generation_ = now;
    useful_ = true;
    const arrow::Schema& schema = *table_.def().schema();
    // Ranges only save work: without them everything is tested. Long lists rule few zones out that
    // their bounds do not.
    constexpr size_t kListMax = 64;
    auto ranges = probe_->ranges();
    if (ranges.ok()) {
        std::erase_if(*ranges, [](const plan::Expr& e) {
            return e.kind == plan::Expr::Kind::kInList && e.children.size() > kListMax;
        });
    }
    auto program = ranges.ok() ? FilterProgram::compile(*ranges, schema) : ranges.status();
    if (!program.ok()) program = FilterProgram::compile({}, schema);
    reader_.emplace(table_, columns_, keys_, std::move(*program));
}

bool ProbeFilter::may_match(const table::Part& part, uint64_t begin, uint64_t end) {
    refresh();
    return reader_->may_match(part, begin, end);
}

Status ProbeFilter::refine(const table::Part& part, uint64_t begin, uint64_t end, size_t from,
                           std::vector<uint32_t>* rows, bool* all) {
    refresh();
    if (!useful_ || (!*all && rows->size() == from)) return {};
    arrow::Batch keys;
    if (*all) {
        ASSIGN_OR_RETURN(keys, reader_->read_range(part, begin, end));
    } else {
        ASSIGN_OR_RETURN(keys, reader_->read(part, std::span(*rows).subspan(from)));
    }
    const auto count = static_cast<size_t>(keys.rows);
    words_.assign((count + 63) / 64, 0);
    ASSIGN_OR_RETURN(useful_, probe_->test(keys, &words_));
    size_t passed = 0;
    for (uint64_t word : words_) passed += static_cast<size_t>(std::popcount(word));
    if (passed == count) return {};
    size_t kept = from;
    if (*all) rows->resize(from + passed);
    for (size_t w = 0; w < words_.size(); w++) {
        for (uint64_t bits = words_[w]; bits; bits &= bits - 1) {
            const size_t i = w * 64 + static_cast<size_t>(std::countr_zero(bits));
            (*rows)[kept++] = *all ? static_cast<uint32_t>(begin + i) : (*rows)[from + i];
        }
    }
    rows->resize(kept);
    *all = false;
    return {};
}

}  // namespace trefoil::access
