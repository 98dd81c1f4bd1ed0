//! Write an admission policy for Gatehouse: a struct for its settings, a struct for the fields it reads, one function.
//! Does not run policies (`gatehouse policy test` does) and does not decide what a violation leads to (the binding does).

pub mod ability;
#[cfg(any(target_arch = "wasm32", test))]
mod arena;
#[doc(hidden)]
pub mod bindings;
#[cfg(feature = "cases")]
pub mod cases;
pub mod patch;
pub mod policy;
pub mod verdict;

#[doc(hidden)]
pub mod guest;

pub use ability::{Resource, authorizer, cluster};
pub use bindings::validator::gatehouse::policy::log::Level;
pub use bindings::validator::gatehouse::policy::types::{
    GroupVersionKind, GroupVersionResource, Operation, Origin, Request, RequestPart, Timestamp, User,
};
pub use patch::Patch;
pub use policy::{About, Mutator, NoSettings, Policy, Review, Validator};
pub use verdict::Verdict;

#[doc(hidden)]
pub use schemars;
#[doc(hidden)]
pub use serde;
pub use serde_json;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static MEMORY: arena::Arena = arena::Arena::new();

/// What a policy usually needs.
pub mod prelude {
    pub use crate::{
        About, Mutator, NoSettings, Operation, Patch, Policy, Request, RequestPart, Resource, Review, Validator, Verdict,
    };
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::{Value, json};
    pub use std::collections::BTreeMap;
}

/// Writes one line to the server's log. A policy that calls it needs the grant `log` in its binding.
#[cfg(target_arch = "wasm32")]
pub fn log(level: Level, message: &str) {
    bindings::validator::gatehouse::policy::log::write(level, message);
}

/// Writes one line to the server's log. A policy that calls it needs the grant `log` in its binding.
#[cfg(not(target_arch = "wasm32"))]
pub fn log(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}

/// Makes a module of a type that is [`Validator`]. Once in a crate, at its root.
#[macro_export]
macro_rules! validator {
    ($policy:ident) => {
        #[cfg(target_arch = "wasm32")]
        mod __gatehouse {
            use $crate::bindings::validator as contract;
            use $crate::bindings::validator::exports::gatehouse::policy::validation;
            use $crate::bindings::validator::gatehouse::policy::types;

            static SETTINGS: ::std::sync::OnceLock<<super::$policy as $crate::Policy>::Settings> = ::std::sync::OnceLock::new();
            struct Module;

            impl validation::Guest for Module {
                fn describe() -> types::Metadata {
                    $crate::guest::describe::<super::$policy>()
                }
                fn configure(settings: types::Json) -> Result<(), ::std::vec::Vec<types::Violation>> {
                    $crate::guest::configure::<super::$policy>(&settings, &SETTINGS)
                }
                fn validate(
                    request: types::Request,
                    object: Option<types::Json>,
                    old: Option<types::Json>,
                    params: Option<types::Json>,
                ) -> Result<types::Verdict, ::std::string::String> {
                    $crate::guest::validate::<super::$policy>(&SETTINGS, request, object, old, params)
                }
            }

            contract::export_validator!(Module with_types_in $crate::bindings::validator);
        }
    };
}

/// Makes a module of a type that is [`Mutator`]. Once in a crate, at its root.
#[macro_export]
macro_rules! mutator {
    ($policy:ident) => {
        #[cfg(target_arch = "wasm32")]
        mod __gatehouse {
            use $crate::bindings::mutator as contract;
            use $crate::bindings::mutator::exports::gatehouse::policy::mutation;
            use $crate::bindings::validator::gatehouse::policy::types;

            static SETTINGS: ::std::sync::OnceLock<<super::$policy as $crate::Policy>::Settings> = ::std::sync::OnceLock::new();
            struct Module;

            impl mutation::Guest for Module {
                fn describe() -> types::Metadata {
                    $crate::guest::describe::<super::$policy>()
                }
                fn configure(settings: types::Json) -> Result<(), ::std::vec::Vec<types::Violation>> {
                    $crate::guest::configure::<super::$policy>(&settings, &SETTINGS)
                }
                fn mutate(
                    request: types::Request,
                    object: types::Json,
                    old: Option<types::Json>,
                    params: Option<types::Json>,
                ) -> Result<types::Mutation, ::std::string::String> {
                    $crate::guest::mutate::<super::$policy>(&SETTINGS, request, object, old, params)
                }
            }

            contract::export_mutator!(Module with_types_in $crate::bindings::mutator);
        }
    };
}
