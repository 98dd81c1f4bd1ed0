//! The contract in `wit/` as Rust types, one module a world. Policies see what `lib.rs` makes of it.
#![allow(missing_docs, clippy::all, reason = "generated from wit/, which carries the documentation")]

pub mod validator {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "validator",
        pub_export_macro: true,
        export_macro_name: "export_validator",
        default_bindings_module: "gatehouse_policy::bindings::validator",
        type_section_suffix: "validator",
        generate_all,
    });
}

pub mod mutator {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "mutator",
        pub_export_macro: true,
        export_macro_name: "export_mutator",
        default_bindings_module: "gatehouse_policy::bindings::mutator",
        type_section_suffix: "mutator",
        with: {
            "gatehouse:policy/types@1.0.0": crate::bindings::validator::gatehouse::policy::types,
            "gatehouse:policy/authorizer@1.0.0": crate::bindings::validator::gatehouse::policy::authorizer,
            "gatehouse:policy/cluster@1.0.0": crate::bindings::validator::gatehouse::policy::cluster,
            "gatehouse:policy/log@1.0.0": crate::bindings::validator::gatehouse::policy::log,
        },
    });
}
