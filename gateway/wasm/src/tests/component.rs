//! Makes validators from core wasm in text, so that a test says in a few lines what its guest does.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

/// The import of the log.
pub(super) const LOG: &str = r#"(import "gatehouse:policy/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#;

/// Answers with the object as a warning: the list of warnings lies where the argument `object` holds pointer and length.
pub(super) const ECHO: &str = "(i32.store (i32.const 3012) (i32.add (local.get 0) (i32.const 156)))
    (i32.store (i32.const 3016) (i32.const 1)) (i32.const 3000)";

/// A validator whose `validate` has this body: it gets the address of its arguments and returns that of its result.
/// Zeros are "no violations", so address 2048 is an answer that allows; "test" stands at 512.
pub(super) fn validator(body: &str) -> Vec<u8> {
    component("", body)
}

/// The same with an import.
pub(super) fn component(import: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {import}
          (memory (export "memory") 4)
          (global $heap (mut i32) (i32.const 4096))
          (data (i32.const 512) "test")
          (data (i32.const 1024) "\00\02\00\00\04\00\00\00")
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $heap)
            (global.set $heap (i32.and (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 7)) (i32.const -8))))
          (func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))
          (func (export "gatehouse:policy/validation@0.1.0#describe") (result i32) (i32.const 1024))
          (func (export "gatehouse:policy/validation@0.1.0#configure") (param i32 i32) (result i32) (i32.const 2048))
          (func (export "gatehouse:policy/validation@0.1.0#validate") (param i32) (result i32) {body}))"#
    );
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit")).unwrap();
    let world = resolve.select_world(&[package], Some("validator")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}
