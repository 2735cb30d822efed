// RunDirectory: its bytes, and the checks that keep a reader inside its sections.

#include "index/key_run_format.h"

namespace trefoil::index {
namespace {

void put(Writer& out, const RunSection& section) {
    out.u64(section.offset);
    out.u64(section.length);
}

RunSection section(Reader& in) {
    uint64_t offset = in.u64();
    return {offset, in.u64()};
}

// True if `section` is an array of `count` elements, each of `size` bytes.
bool holds(const RunSection& section, uint64_t count, uint64_t size) {
    return section.length % size == 0 && section.length / size == count;
}

bool is_consistent(const RunDirectory& d) {
    if (d.entry_count >= uint64_t{1} << 56) return false;  // so that sizes below do not overflow
    if (d.distinct_keys > d.entry_count || (d.distinct_keys == 0) != (d.entry_count == 0))
        return false;
    if (d.form == RunForm::kDense) {
        return d.shape == KeyShape::kInteger && d.entry_count > 0 &&
               d.key_max - d.key_min == d.entry_count - 1;
    }
    if (d.shape == KeyShape::kInteger) {
        return d.key_min <= d.key_max && holds(d.entries, d.entry_count, sizeof(IntegerEntry));
    }
    if (d.code_count > d.entry_count || (d.code_count == 0) != (d.entry_count == 0)) return false;
    bool one_code_each = d.code_count == d.entry_count;
    return holds(d.entries, d.entry_count + 1, sizeof(BytesEntry)) &&
           holds(d.codes, d.code_count, 8) &&
           holds(d.firsts, one_code_each ? 0 : d.code_count + 1, 8);
}

}  // namespace

std::string RunDirectory::encode() const {
    Writer out;
    out.u64(kRunMagic);
    out.u32(kRunFormatVersion);
    out.u8(static_cast<uint8_t>(shape));
    out.u8(static_cast<uint8_t>(form));
    out.u8(static_cast<uint8_t>(model_use));
    out.u8(0);
    for (uint64_t v : {entry_count, distinct_keys, key_min, key_max, dense_row_id, code_count}) {
        out.u64(v);
    }
    for (const RunSection& s : {entries, blob, codes, firsts, model}) put(out, s);
    if (shape == KeyShape::kBytes) ranges.encode(out);
    return out.take();
}

Result<RunDirectory> RunDirectory::decode(Bytes bytes) {
    Reader in(bytes);
    if (in.u64() != kRunMagic) return Status::corruption("not a key run");
    if (uint32_t version = in.u32(); in.ok() && version > kRunFormatVersion) {
        return Status::unsupported("the key run has format " + std::to_string(version) +
                                   "; this version of Trefoil reads up to " +
                                   std::to_string(kRunFormatVersion));
    }
    uint8_t shape = in.u8(), form = in.u8(), model_use = in.u8();
    in.u8();
    RunDirectory d;
    for (uint64_t* v : {&d.entry_count, &d.distinct_keys, &d.key_min, &d.key_max, &d.dense_row_id,
                        &d.code_count}) {
        *v = in.u64();
    }
    for (RunSection* s : {&d.entries, &d.blob, &d.codes, &d.firsts, &d.model}) *s = section(in);
    if (!in.ok() || shape > 1 || form > 1 || model_use > 3) {
        return Status::corruption("the directory of a key run is malformed");
    }
    d.shape = static_cast<KeyShape>(shape);
    d.form = static_cast<RunForm>(form);
    d.model_use = static_cast<ModelUse>(model_use);
    bool ranges_ok = d.shape != KeyShape::kBytes || PrefixRanges::decode(in, &d.ranges);
    if (!ranges_ok || !in.at_end() || !is_consistent(d)) {
        return Status::corruption("the directory of a key run contradicts itself");
    }
    return d;
}

}  // namespace trefoil::index
