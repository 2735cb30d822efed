// Engine over the bridge.

#include "engine/engine.h"

#include <utility>

#include "base/check.h"
#include "engine/border.h"
#include "engine/session.h"

namespace trefoil::engine {
namespace {

class BridgeEngine final : public Engine {
public:
    explicit BridgeEngine(EngineHandle engine) : engine_(std::move(engine)) {}

    Result<std::unique_ptr<EngineSession>> open_session() override {
        tf_session* raw = nullptr;
        RETURN_IF_ERROR(
            call([&](tf_error* e) { return tf_engine_open_session(engine_.get(), &raw, e); }));
        return make_session(SessionHandle(raw));
    }

    uint64_t memory_used() const override { return tf_engine_memory_used(engine_.get()); }

    bool take(uint64_t bytes) override { return tf_engine_take_memory(engine_.get(), bytes) != 0; }
    void give_back(uint64_t bytes) override { tf_engine_give_memory_back(engine_.get(), bytes); }

    Status set_limits(uint64_t memory_bytes, uint64_t temp_bytes) override {
        return call([&](tf_error* e) {
            return tf_engine_set_limits(engine_.get(), memory_bytes, temp_bytes, e);
        });
    }

private:
    EngineHandle engine_;
};

}  // namespace

Result<std::unique_ptr<Engine>> Engine::create(const EngineOptions& options) {
    if (tf_bridge_version() != TF_BRIDGE_VERSION) {
        return internal_error("the bridge library is of version " +
                              std::to_string(tf_bridge_version()) + ", this program needs " +
                              std::to_string(TF_BRIDGE_VERSION));
    }
    tf_engine_options raw{};
    raw.version = TF_BRIDGE_VERSION;
    raw.size = sizeof raw;
    raw.threads = options.threads;
    raw.memory_bytes = options.memory_bytes;
    raw.spill_path = as_text(options.spill_path);
    tf_engine* engine = nullptr;
    RETURN_IF_ERROR(call([&](tf_error* e) { return tf_engine_create(&raw, &engine, e); }));
    return std::unique_ptr<Engine>(std::make_unique<BridgeEngine>(EngineHandle(engine)));
}

}  // namespace trefoil::engine
