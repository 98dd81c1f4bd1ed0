//! Guests that try what only the component model offers, and what wasm offers that no SDK needs.

use super::*;

/// A validator with one more core function of this name.
fn exporting(name: &str, function: &str) -> Vec<u8> {
    component(&format!("(func (export \"{name}\") {function})"), OK)
}

fn judged(component: &[u8]) -> Result<Verdict, Failure> {
    let module = runtime().load(component).unwrap();
    module.bind(binding(&[])).unwrap().validate(&Call::of(&request(), Some(&b"{\"kind\":\"Pod\"}".to_vec()))).outcome
}

fn refused(component: &[u8]) -> String {
    runtime().load(component).err().unwrap().to_string()
}

#[test]
fn what_cleans_up_after_an_answer_has_no_more_time_than_the_answer() {
    let name = "cabi_post_gatehouse:policy/validation@1.0.0#validate";
    judged(&exporting(name, "(param i32)")).unwrap();
    let failure = judged(&exporting(name, "(param i32) (loop (br 0))")).unwrap_err();
    assert_eq!(failure.reason(), "timeout", "{failure}");
    assert_eq!(judged(&exporting(name, "(param i32) unreachable")).unwrap_err().reason(), "trap");
}

#[test]
fn a_start_function_is_ended() {
    let told = refused(&component("(func $begin (loop (br 0))) (start $begin)", OK));
    // On a machine that has no processor for it, the wall clock may end it first.
    let ends = ["it ran for more than 1000 ms", "it did not finish within 10000 ms"];
    assert!(ends.iter().any(|end| told == format!("ask the component what it is: {end}")), "{told}");
}

#[test]
fn room_for_what_it_is_given_lies_in_its_own_memory() {
    let realloc = |body: &str| component::Guest { realloc: body, ..component::Guest::default() }.build();
    for (body, reason) in [
        // Beyond the end.
        ("(i32.const 0x7fff0000)", "bad_answer"),
        ("unreachable", "trap"),
        ("(loop (br 0)) unreachable", "timeout"),
        ("(call $deep (i32.const 0))", "trap"),
    ] {
        // The settings are the first that it is given.
        let error = runtime().load(&realloc(body)).unwrap().bind(binding(&[])).err().unwrap();
        let BindError::Failed(failure) = error else { panic!("{body}: {error}") };
        assert_eq!(failure.reason(), reason, "{body}: {failure}");
    }
    // At an odd place, where settings may lie and a request may not.
    let failure = judged(&realloc("(i32.const 98305)")).unwrap_err();
    assert!(failure.to_string().contains("not aligned"), "{failure}");
}

#[test]
fn nobody_is_called_while_room_is_made() {
    let body = "(call $log (i32.const 0) (i32.const 512) (i32.const 4)) (i32.const 98304)";
    let component = component::Guest { import: LOG, realloc: body, ..component::Guest::default() }.build();
    let error = runtime().load(&component).unwrap().bind(binding(&[Grant::Log])).err().unwrap();
    let BindError::Failed(failure) = error else { panic!("{error}") };
    assert_eq!(failure.to_string(), "it trapped: cannot leave component instance");
}

#[test]
fn handles_of_resources_are_counted() {
    let foreign = "package test:guest;
        interface things { resource thing; }
        world guest { include gatehouse:policy/validator@1.0.0; export things; }";
    let import = r#"(import "[export]test:guest/things" "[resource-new]thing" (func $new (param i32) (result i32)))"#;
    let times = |count: usize| {
        let body = format!(
            "(local $n i32) (loop (drop (call $new (i32.const 1)))
              (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const {count})))) (i32.const 2048)"
        );
        judged(&component::Guest { foreign, import, body: &body, ..component::Guest::default() }.build())
    };
    times(limits::HANDLES_MAX).unwrap();
    let failure = times(limits::HANDLES_MAX + 1).unwrap_err();
    assert!(failure.to_string().contains("handle limit exceeded"), "{failure}");
}

#[test]
fn streams_to_nowhere_are_counted_too() {
    let stdout = r#"(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))"#;
    let failure = with_wasi(stdout, "(loop (drop (call $stdout)) (br 0)) unreachable").unwrap_err();
    assert!(failure.to_string().contains("handle limit exceeded"), "{failure}");
}

#[test]
fn what_no_language_needs_is_not_compiled() {
    let load = |module: &str| refused(&wat::parse_str(format!("(component (core module {module}))")).unwrap());
    for known in
        ["(memory 1)", "(func (drop (v128.const i64x2 0 0)))", "(table 1 funcref)", "(func (result i32 i32) unreachable)"]
    {
        assert!(load(known).contains("it exports nothing"), "{known}");
    }
    for (module, word) in [
        ("(memory i64 1)", "memory64"),
        ("(memory 1 1 shared)", "threads"),
        ("(memory 1) (func (drop (i32.atomic.load (i32.const 0))))", "threads"),
        ("(memory 1 (pagesize 1))", "custom page sizes"),
        ("(func $f (return_call $f))", "tail calls"),
        ("(func (drop (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0))))", "relaxed SIMD"),
        ("(func (param i64 i64) (drop (drop (i64.add128 (local.get 0) (local.get 0) (local.get 1) (local.get 1)))))", "wide"),
        ("(type $t (struct (field i32)))", "gc"),
        ("(rec (type (func)) (type (func)))", "gc"),
        ("(type $t (func)) (func (param (ref $t)))", "function references"),
        ("(tag)", "exceptions"),
        ("(global externref (ref.null extern))", "gc"),
        ("(type $f (func)) (type (cont $f))", "stack switching"),
    ] {
        let told = load(module);
        assert!(told.starts_with("compile the component: ") && told.contains(word), "{module}: {told}");
    }
}

#[test]
fn nothing_waits_between_components() {
    for ty in ["(future u8)", "(stream u8)"] {
        let told = refused(&wat::parse_str(format!("(component (type {ty}))")).unwrap());
        assert!(told.starts_with("compile the component: ") && told.contains("async"), "{ty}: {told}");
    }
}

/// One component in another, so many times. Text that deep no reader of text takes.
fn nested(depth: usize) -> Vec<u8> {
    const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];
    /// The section that holds a component.
    const NESTED: u8 = 4;
    (0..depth).fold(COMPONENT.to_vec(), |inner, _| [&COMPONENT[..], &section(NESTED, &inner)].concat())
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], &leb128(content.len())[..], content].concat()
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A section that says something about the component to whoever wants to believe it.
fn custom(name: &str, content: &[u8]) -> Vec<u8> {
    section(0, &[&leb128(name.len())[..], name.as_bytes(), content].concat())
}

#[test]
fn forged_custom_sections_change_nothing() {
    let component = component("", OK);
    let digest = Runtime::digest(&component);
    for (name, content) in [
        ("name", &b"\x00\xff\xff\xff\xff\x0f"[..]),
        ("component-name", b"\xff\xff"),
        ("producers", b"garbage"),
        ("component-type:guest", b"another world"),
        (".wasmtime.engine", b"\x7fELF code that nobody compiled"),
        ("metadata.code.branch_hint", b"\xff"),
        ("", &[0; 1 << 20]),
    ] {
        let forged = [&component[..], &custom(name, content)].concat();
        assert_ne!(Runtime::digest(&forged), digest, "{name}");
        judged(&forged).unwrap();
    }
    let beyond = [&component[..], &[0], &leb128(1 << 30), b"\x04name"].concat();
    assert!(refused(&beyond).contains("unexpected end"), "{}", refused(&beyond));
    let own = precompile(&component).unwrap();
    assert!(refused(&own).contains("component"), "what is compiled already: {}", refused(&own));
}

#[test]
fn what_nests_deeply_takes_no_stack() {
    for depth in [10, 2_000] {
        assert!(refused(&nested(depth)).contains("it exports nothing"), "{depth}");
    }
}

#[test]
fn more_than_a_guest_may_have_is_refused_before_it_runs() {
    for (more, word) in
        [("(table 20001 funcref)", "table"), ("(table 1 funcref) (table 1 funcref)", "table"), ("(memory 1)", "memor")]
    {
        let told = refused(&component(more, OK));
        assert!(told.contains(word), "{more}: {told}");
    }
}
