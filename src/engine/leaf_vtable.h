// The tables of functions through which Rust reads stored data: SourceCatalog, TableSource, Leaf
// and BatchStream as bridge.h wants them. Tested by leaf_vtable_test.cpp without Rust.

#pragma once

#include <memory>

#include "access/source.h"
#include "engine/bridge.h"

namespace trefoil::engine {

// `catalog` as Rust calls it; both must outlive the use that is made of it.
tf_catalog catalog_functions(const access::SourceCatalog& catalog);

// A stream that Rust takes over, or only borrows: then releasing it does nothing.
tf_stream stream_functions(std::unique_ptr<access::BatchStream> stream);
tf_stream borrowed_stream_functions(access::BatchStream* stream);

}  // namespace trefoil::engine
