//! The policies that ship: built, and their cases run, by the program that will judge with them.

use crate::run::{self, Failed, Step};

/// Builds the server and with it every policy of `policies/`, to `.build/policies`.
pub(crate) fn build() -> Result<(), Failed> {
    run::in_policies(|| {
        crate::server()?;
        Step::gatehouse("policy build policies --out .build/policies").run()
    })
}

/// Runs the cases of every policy in wasm.
pub(crate) fn cases() -> Result<(), Failed> {
    run::in_policies(|| Step::gatehouse("policy test policies").run())
}
