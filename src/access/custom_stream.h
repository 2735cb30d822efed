// CustomStream: a program's RowStream, as batches of known columns.

#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "access/custom_def.h"
#include "access/row_sink.h"
#include "access/source.h"
#include "base/check.h"

namespace trefoil::access {

class CustomStream {
public:
    // `whose` is named in errors.
    CustomStream(arrow::SchemaPtr columns, std::string whose, const CancelFlag* cancel)
        : whose_(std::move(whose)), sink_(std::move(columns), whose_), cancel_(cancel) {}

    // `make` answers a Result<RowStream>.
    template <typename Make>
    Status open(const Make& make) {
        ASSIGN_OR_RETURN(stream_, guarded(whose_, [&]() -> Result<RowStream> { return make(); }));
        if (stream_) return {};
        return Status(Code::kInvalidInput, "38000", whose_ + " answered a stream that is empty");
    }

    // The next batch, never empty of rows; nullopt at the end. REQUIRES: it was opened.
    // Errors: 57014 if cancelled, those of the stream, and those of RowSink::State::take.
    Result<std::optional<arrow::Batch>> next() {
        while (at_ == batches_.size()) {
            if (!more_) return std::optional<arrow::Batch>();
            if (cancel_ && cancel_->load(std::memory_order_relaxed)) {
                return Status(Code::kInvalidInput, "57014", "the statement was cancelled");
            }
            RowSink sink(sink_);
            ASSIGN_OR_RETURN(more_,
                             guarded(whose_, [&]() -> Result<bool> { return stream_(sink); }));
            at_ = 0;
            RETURN_IF_ERROR(sink_.take(&batches_));
        }
        return std::optional(std::move(batches_[at_++]));
    }

private:
    std::string whose_;
    RowSink::State sink_;
    const CancelFlag* cancel_;
    RowStream stream_;
    bool more_ = true;
    std::vector<arrow::Batch> batches_;
    size_t at_ = 0;
};

}  // namespace trefoil::access
