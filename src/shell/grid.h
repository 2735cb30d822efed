// Grid: some rows to show. What a renderer needs of a RowBatch, and no more, so that a test can
// make one.

#pragma once

#include <cstdint>
#include <string>

#include "trefoil/database.h"

namespace trefoil::shell {

class Grid {
public:
    virtual ~Grid() = default;

    virtual int64_t row_count() const = 0;
    virtual bool is_null(int64_t row, int32_t column) const = 0;
    // The field as SQL prints it; "" for NULL.
    virtual std::string text(int64_t row, int32_t column) const = 0;
    virtual Value value(int64_t row, int32_t column) const = 0;
};

// The rows of a batch. The batch must outlive it.
class BatchGrid final : public Grid {
public:
    explicit BatchGrid(const RowBatch& batch) : batch_(batch) {}

    int64_t row_count() const override { return batch_.row_count(); }
    bool is_null(int64_t row, int32_t column) const override { return batch_.is_null(row, column); }
    std::string text(int64_t row, int32_t column) const override {
        return batch_.text(row, column);
    }
    Value value(int64_t row, int32_t column) const override { return batch_.value(row, column); }

private:
    const RowBatch& batch_;
};

}  // namespace trefoil::shell
