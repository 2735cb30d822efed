// Value: how each alternative prints.

#include "trefoil/value.h"

#include <algorithm>
#include <limits>

#include "base/date.h"
#include "base/text_format.h"

namespace trefoil {
namespace {

void append(const Value& value, std::string* out);

struct Print {
    std::string* out;

    void operator()(std::monostate) const {}
    void operator()(bool v) const { out->append(v ? "true" : "false"); }
    void operator()(int64_t v) const { append_int64(v, out); }
    void operator()(double v) const { append_double(v, out); }
    void operator()(const std::string& v) const { out->append(v); }
    void operator()(const Decimal& v) const { append_decimal(v.unscaled, v.scale, out); }
    void operator()(Date v) const { append_date(v.days, out); }
    void operator()(Time v) const {
        constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 1000;
        append_time(std::clamp(v.micros, -kMost, kMost) * 1000, out);
    }
    void operator()(const Timestamp& v) const {
        int64_t seconds = v.micros / kMicrosPerSecond, micros = v.micros % kMicrosPerSecond;
        if (micros < 0) {
            micros += kMicrosPerSecond;
            seconds--;
        }
        append_timestamp(seconds, micros * 1000, v.utc, out);
    }
    void operator()(const Interval& v) const { append_interval(v, out); }
    void operator()(const Uuid& v) const {
        append_uuid({reinterpret_cast<const char*>(v.bytes.data()), v.bytes.size()}, out);
    }
    void operator()(const Blob& v) const { append_bytea(v.bytes, out); }
    void operator()(const Value::List& list) const {
        out->push_back('{');
        for (size_t i = 0; i < list.size(); i++) {
            if (i) out->push_back(',');
            if (list[i].is_null()) {
                out->append("NULL");
            } else if (list[i].get_if<Value::List>()) {
                append(list[i], out);
            } else {
                append_array_element(list[i].to_string(), out);
            }
        }
        out->push_back('}');
    }
};

void append(const Value& value, std::string* out) {
    std::visit(Print{out}, value.storage());
}

}  // namespace

std::string Value::to_string() const {
    std::string text;
    append(*this, &text);
    return text;
}

}  // namespace trefoil
