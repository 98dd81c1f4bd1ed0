//! Policies in Go: the Go toolchain makes a library for WASI's first preview; that is started once, so that no call has to start
//! Go's runtime, and with what it asks for (`go.wat`) it becomes a component.

use std::fs;
use std::path::Path;

use wasm::World;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::{Product, Tool, output, tool};
use crate::policy::contract;

const GO: Tool = Tool { program: "go", remedy: "install Go 1.24 or newer: https://go.dev/dl" };

/// An export of every validator; the SDK's package of that name has it, and the one for mutators another.
const VALIDATES: &[u8] = b"gatehouse:policy/validation@1.0.0#validate";

pub(super) fn build(folder: &Path) -> Result<Vec<Product>, String> {
    let wasm = output(folder)?.join("policy.core.wasm");
    let mut command = GO.command(folder);
    command.env("GOOS", "wasip1").env("GOARCH", "wasm");
    command.args(["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o"]).arg(&wasm).arg(".");
    tool::told("go builds the policy for wasm");
    GO.run(command)?;
    let core = fs::read(&wasm).map_err(|error| format!("{}: {error}", wasm.display()))?;
    let stand_in = wat::parse_str(ADAPTER).map_err(|error| error.to_string())?;
    tool::told("starting Go's runtime, once for all calls");
    let core = wasm::started(&core, &stand_in).map_err(|error| format!("the policy does not start: {error}"))?;
    let component = component(core, stand_in).map_err(|error| {
        format!("the policy does not follow the contract: {error}; does it call validator.Serve or mutator.Serve in init?")
    })?;
    Ok(vec![Product { folder: folder.to_owned(), component }])
}

/// What stands for WASI's first preview, and what it needs of the host.
const WASI: &str = "wasi_snapshot_preview1";
const ADAPTER: &str = include_str!("go.wat");
const ADAPTER_WORLD: &str = "package gatehouse:go;

world adapter {
  import wasi:clocks/wall-clock@0.2.0;
  import wasi:random/random@0.2.0;
}

package wasi:clocks@0.2.0 {
  interface wall-clock {
    record datetime { seconds: u64, nanoseconds: u32 }
    now: func() -> datetime;
  }
}

package wasi:random@0.2.0 {
  interface random {
    get-random-u64: func() -> u64;
  }
}
";

fn component(mut core: Vec<u8>, stand_in: Vec<u8>) -> Result<Vec<u8>, String> {
    let adapter = adapter(stand_in)?;
    let (resolve, package) = contract::parse()?;
    let is_validator = core.windows(VALIDATES.len()).any(|bytes| bytes == VALIDATES);
    let world = if is_validator { World::Validator } else { World::Mutator };
    let encoded = resolve.select_world(&[package], Some(world.as_str())).and_then(|world| {
        embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8)?;
        ComponentEncoder::default().validate(true).module(&core)?.adapter(WASI, &adapter)?.encode()
    });
    encoded.map_err(|error| format!("{error:#}"))
}

fn adapter(mut adapter: Vec<u8>) -> Result<Vec<u8>, String> {
    let mut resolve = Resolve::default();
    let embedded = resolve.push_str("go.wit", ADAPTER_WORLD).and_then(|package| {
        let world = resolve.select_world(&[package], None)?;
        embed_component_metadata(&mut adapter, &resolve, world, StringEncoding::UTF8)
    });
    embedded.map(|()| adapter).map_err(|error| format!("{error:#}"))
}
