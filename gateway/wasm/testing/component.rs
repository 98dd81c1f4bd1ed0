//! Makes policies from core wasm in text, so that a test says in a few lines what its guest does. Included by path, also
//! by `admission`'s tests.

// Each including crate uses a part of it.
#![allow(dead_code)]

use std::fmt::Write;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

/// The import of the log.
pub(crate) const LOG: &str = r#"(import "gatehouse:policy/log@1.0.0" "write" (func $log (param i32 i32 i32)))"#;

/// Answers with the object as a warning: the list of warnings lies where the argument `object` holds pointer and length.
pub(crate) const ECHO: &str = "(i32.store (i32.const 3012) (i32.add (local.get 0) (i32.const 156)))
    (i32.store (i32.const 3016) (i32.const 1)) (i32.const 3000)";

/// Where [`Guest::answer`] lies; as zeros it is "no violations" and "no patch".
pub(crate) const ANSWER: &str = "(i32.const 2048)";

/// Hands out one piece of memory after another.
const REALLOC: &str = "(global.get $heap)
    (global.set $heap (i32.and (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 7)) (i32.const -8)))";

/// A policy in the making. Memory: "test" at 512, metadata at 1024, the answer at 2048, what answers and metadata point to
/// from 16384.
pub(crate) struct Guest<'a> {
    /// `validator` or `mutator`.
    pub(crate) world: &'a str,
    /// Core imports.
    pub(crate) import: &'a str,
    /// The contract as it was when this was built: a text of `wit/`, and what stood there.
    pub(crate) was: (&'a str, &'a str),
    /// WIT with a world `guest` that has further imports; the contract's own world when empty.
    pub(crate) foreign: &'a str,
    /// JSON schema.
    pub(crate) schema: &'a str,
    /// Fields.
    pub(crate) reads: &'a [&'a str],
    /// Fields.
    pub(crate) writes: &'a [&'a str],
    /// Parts of the request, by their number in the contract.
    pub(crate) reads_request: &'a [u8],
    /// Whether it says that it needs a user.
    pub(crate) needs_user: bool,
    /// Violations (rule, message, field) that the answer at 2048 holds.
    pub(crate) violations: &'a [(&'a str, &'a str, &'a str)],
    /// The patch that the answer at 2048 holds.
    pub(crate) patch: Option<&'a str>,
    /// Body of what makes room for arguments: gets where they were, how much that was, an alignment and how much is wanted.
    pub(crate) realloc: &'a str,
    /// Body of `validate` or `mutate`: gets the address of its arguments and gives that of its result.
    pub(crate) body: &'a str,
}

impl Default for Guest<'_> {
    fn default() -> Self {
        Self {
            world: "validator",
            import: "",
            was: ("", ""),
            foreign: "",
            schema: "",
            reads: &[],
            writes: &[],
            reads_request: &[0, 1, 2, 3, 4, 5, 6],
            needs_user: false,
            violations: &[],
            patch: None,
            realloc: REALLOC,
            body: ANSWER,
        }
    }
}

/// A validator whose `validate` has this body.
pub(crate) fn validator(body: &str) -> Vec<u8> {
    Guest { body, ..Guest::default() }.build()
}

/// The same with an import.
pub(crate) fn component(import: &str, body: &str) -> Vec<u8> {
    Guest { import, body, ..Guest::default() }.build()
}

impl Guest<'_> {
    /// The component.
    pub(crate) fn build(&self) -> Vec<u8> {
        let (interface, call) = match self.world {
            "mutator" => ("gatehouse:policy/mutation@1.0.0", "mutate"),
            _ => ("gatehouse:policy/validation@1.0.0", "validate"),
        };
        let Self { import, realloc, body, .. } = self;
        let data = self.data();
        let text = format!(
            r#"(module {import}
              (memory (export "memory") 4)
              (global $heap (mut i32) (i32.const 98304))
              {data}
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
              (func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))
              (func (export "{interface}#describe") (result i32) (i32.const 1024))
              (func (export "{interface}#configure") (param i32 i32) (result i32) (i32.const 4000))
              (func (export "{interface}#{call}") (param i32) (result i32) {body}))"#
        );
        let mut module = wat::parse_str(text).unwrap();
        let mut resolve = wit_parser::Resolve::default();
        let package = resolve.push_group(self.contract().parse().unwrap()).unwrap();
        let world = match self.foreign {
            "" => resolve.select_world(&[package], Some(self.world)).unwrap(),
            foreign => {
                let package = resolve.push_str("foreign.wit", foreign).unwrap();
                resolve.select_world(&[package], Some("guest")).unwrap()
            }
        };
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
    }

    /// The contract as it was.
    fn contract(&self) -> wit_parser::SourceMap {
        let mut files = wit_parser::SourceMap::new();
        let wit = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        for entry in std::fs::read_dir(wit).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "wit") {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = if self.was.0.is_empty() { text } else { text.replace(self.was.0, self.was.1) };
                files.push(&path, text);
            }
        }
        files
    }

    fn data(&self) -> String {
        let mut heap = Heap { at: 16384, text: "(data (i32.const 512) \"test\")".to_owned() };
        let name = [512, 4];
        let schema = heap.string(self.schema);
        let (reads, writes) = (heap.strings(self.reads), heap.strings(self.writes));
        let reads_request = heap.bytes(self.reads_request);
        let metadata = [name, [0, 0], [0, 0], schema, reads, writes, [0, 0], reads_request, [self.needs_user.into(), 0]].concat();
        heap.put(1024, &metadata);
        let violations: Vec<u32> = self
            .violations
            .iter()
            .flat_map(|(rule, message, field)| {
                [heap.string(rule).to_vec(), heap.string(message).to_vec(), heap.string(field).to_vec(), vec![0, 0, 0]].concat()
            })
            .collect();
        let count = self.violations.len() as u32;
        let answer = match self.patch {
            Some(patch) => [vec![0, 1], heap.string(patch).to_vec(), vec![0, 0]].concat(),
            None if count > 0 => vec![0, heap.words(&violations), count, 0, 0],
            None => vec![0; 6],
        };
        heap.put(2048, &answer);
        heap.text
    }
}

struct Heap {
    at: u32,
    text: String,
}

impl Heap {
    fn put(&mut self, at: u32, words: &[u32]) {
        let bytes: String = words.iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("\\{byte:02x}")).collect();
        let _ = write!(self.text, "(data (i32.const {at}) \"{bytes}\")");
    }

    fn words(&mut self, words: &[u32]) -> u32 {
        let at = self.at;
        self.put(at, words);
        self.at += 4 * words.len() as u32;
        at
    }

    fn bytes(&mut self, bytes: &[u8]) -> [u32; 2] {
        let at = self.at;
        let text: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let _ = write!(self.text, "(data (i32.const {at}) \"{text}\")");
        self.at = (at + bytes.len() as u32 + 7) & !7;
        [at, bytes.len() as u32]
    }

    fn string(&mut self, text: &str) -> [u32; 2] {
        self.bytes(text.as_bytes())
    }

    fn strings(&mut self, texts: &[&str]) -> [u32; 2] {
        let words: Vec<u32> = texts.iter().flat_map(|text| self.string(text)).collect();
        [self.words(&words), texts.len() as u32]
    }
}
