//! The contract in `wit/` as Rust types, one module a world. Nothing else names wasmtime's generated code.
#![allow(missing_docs, unreachable_pub, reason = "generated from wit/, which carries the documentation")]

pub mod validator {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "validator",
        additional_derives: [serde::Serialize, serde::Deserialize],
    });
}

pub mod mutator {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "mutator",
        with: {
            "gatehouse:policy/types@1.0.0": super::validator::gatehouse::policy::types,
            "gatehouse:policy/authorizer@1.0.0": super::validator::gatehouse::policy::authorizer,
            "gatehouse:policy/cluster@1.0.0": super::validator::gatehouse::policy::cluster,
            "gatehouse:policy/log@1.0.0": super::validator::gatehouse::policy::log,
        },
    });
}
