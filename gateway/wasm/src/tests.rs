//! Guests written by hand, good and bad, and what the host makes of them.

#[path = "../testing/component.rs"]
mod component;
#[path = "tests/hostile.rs"]
mod hostile;
#[path = "tests/reach.rs"]
mod reach;

use std::sync::Arc;
use std::time::Duration;

use crate::limits::{ANSWER_BYTES_MAX, MODULE_BYTES_MAX};
use crate::*;
use component::{Guest, LOG, component, validator};

const OK: &str = "(i32.const 2048)";

fn options() -> Options {
    // These tests are twice in the program: of guests here, and of guests in processes of their own.
    let guests = module_path!().ends_with("apart").then(|| Program {
        program: std::env::current_exe().unwrap(),
        arguments: ["--exact", "tests_apart::the_process_that_runs_guests", "--ignored"].map(str::to_owned).to_vec(),
    });
    Options { threads: 2, guests, ..Options::default() }
}

fn runtime() -> Arc<Runtime> {
    Runtime::start(&options()).unwrap()
}

/// No test: what a server's own program does when it is told to run guests. A test's standard input is the socket then.
#[test]
#[ignore = "is started by the tests of guests in processes of their own"]
fn the_process_that_runs_guests() {
    use std::os::fd::AsFd;
    let input = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    serve(std::os::unix::net::UnixStream::from(input)).unwrap();
}

fn request() -> Request {
    Request {
        uid: "0b5f".into(),
        time: Timestamp { seconds: 1_900_000_000, nanoseconds: 0 },
        user: Some(User { name: "alice".into(), uid: String::new(), groups: vec![], extra: vec![] }),
        operation: Operation::Create,
        origin: Origin::Write,
        kind: GroupVersionKind { group: String::new(), version: "v1".into(), kind: "Pod".into() },
        resource: GroupVersionResource { group: String::new(), version: "v1".into(), resource: "pods".into() },
        subresource: String::new(),
        namespace: "default".into(),
        name: "web".into(),
        dry_run: false,
        options: b"{}".to_vec(),
    }
}

fn binding(grants: &[Grant]) -> Binding {
    Binding { settings: b"{}".to_vec(), grants: grants.to_vec(), deadline: Duration::from_millis(25) }
}

fn run(runtime: &Arc<Runtime>, body: &str) -> Result<Verdict, Failure> {
    let module = runtime.load(&validator(body)).unwrap();
    let policy = module.bind(binding(&[])).unwrap();
    policy.validate(&Call::of(&request(), Some(&b"{\"kind\":\"Pod\"}".to_vec()))).outcome
}

/// Whatever a guest did, the next one is served.
fn contained(body: &str, reason: &str) -> Failure {
    let runtime = runtime();
    let failure = run(&runtime, body).unwrap_err();
    assert_eq!(failure.reason(), reason, "{failure}");
    assert!(run(&runtime, OK).unwrap().violations.is_empty());
    failure
}

#[test]
fn a_guest_sees_the_object_and_answers() {
    let runtime = runtime();
    let module = runtime.load(&validator(component::ECHO)).unwrap();
    assert_eq!((module.world, module.metadata.name.as_str()), (World::Validator, "test"));
    assert!(module.imports.iter().all(|import| import == "gatehouse:policy/types@1.0.0"), "{:?}", module.imports);
    let policy = module.bind(binding(&[])).unwrap();
    for object in ["{\"kind\":\"Pod\"}", "{\"kind\":\"Secret\"}"] {
        let verdict = policy.validate(&Call::of(&request(), Some(&object.as_bytes().to_vec()))).outcome.unwrap();
        assert_eq!(verdict.warnings, [object]);
    }
}

#[test]
fn a_module_of_another_state_of_the_contract_is_told_to_be_built_again() {
    let runtime = runtime();
    let told = |guest: Guest<'_>| match runtime.load(&guest.build()) {
        Ok(_) => panic!("it fits"),
        Err(error) => error.to_string(),
    };
    for (import, was) in [
        ("", ("reads-request: list<request-part>,", "")),
        ("", ("old: option<json>, params: option<json>", "old: option<json>")),
        // Of what is imported, too.
        (LOG, ("enum level { debug, info, warn, error }", "enum level { info, error }")),
    ] {
        let why = told(Guest { import, was, ..Guest::default() });
        assert!(why.contains("built for another state of the contract") && why.contains("`gatehouse policy sdk`"), "{why}");
    }
}

#[test]
fn nothing_of_a_call_is_left_for_the_next() {
    // The guest counts its calls in memory and traps at the second.
    let body = "(i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
        (if (i32.gt_u (i32.load (i32.const 8)) (i32.const 1)) (then unreachable)) (i32.const 2048)";
    let runtime = runtime();
    let policy = runtime.load(&validator(body)).unwrap().bind(binding(&[])).unwrap();
    for _ in 0..10 {
        policy.validate(&Call::of(&request(), None)).outcome.unwrap();
    }
}

#[test]
fn an_endless_loop_ends() {
    let failure = contained("(loop (br 0)) (unreachable)", "timeout");
    // On a machine that has no processor for it, the wall clock may end it first.
    let ends = ["it ran for more than 25 ms", "it did not finish within 250 ms"];
    assert!(ends.contains(&failure.to_string().as_str()), "{failure}");
}

#[test]
fn deep_recursion_ends() {
    contained("(call $deep (i32.const 0))", "trap");
}

#[test]
fn growth_beyond_the_cap_is_refused() {
    contained("(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)", "out_of_memory");
}

#[test]
fn a_trap_is_a_trap() {
    contained("unreachable", "trap");
}

#[test]
fn an_answer_outside_of_memory_is_refused() {
    contained(
        "(i32.store (i32.const 3004) (i32.const 0x7fff0000)) (i32.store (i32.const 3008) (i32.const 9)) (i32.const 3000)",
        "bad_answer",
    );
}

#[test]
fn an_answer_that_is_no_text_is_refused() {
    contained(
        "(i32.store (i32.const 3100) (i32.const 3200)) (i32.store (i32.const 3104) (i32.const 4)) (i32.store (i32.const 3200) (i32.const -1))
         (i32.store (i32.const 3012) (i32.const 3100)) (i32.store (i32.const 3016) (i32.const 1)) (i32.const 3000)",
        "bad_answer",
    );
}

#[test]
fn a_huge_answer_is_refused_even_when_it_is_small_in_the_guest() {
    // A list of 4,096 strings that all lie over the same 32 KiB: 128 MiB for the host, 64 KiB for the guest.
    let body = "(local $n i32)
        (loop
          (i32.store (i32.add (i32.const 65536) (i32.mul (local.get $n) (i32.const 8))) (i32.const 131072))
          (i32.store (i32.add (i32.const 65540) (i32.mul (local.get $n) (i32.const 8))) (i32.const 32768))
          (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 4096))))
        (i32.store (i32.const 3012) (i32.const 65536)) (i32.store (i32.const 3016) (i32.const 4096)) (i32.const 3000)";
    contained(body, "bad_answer");
    const { assert!(4096 * 32768 > ANSWER_BYTES_MAX) };
}

#[test]
fn a_guest_that_cannot_judge_says_so() {
    let body = "(i32.store8 (i32.const 3000) (i32.const 1)) (i32.store (i32.const 3004) (i32.const 512)) (i32.store (i32.const 3008) (i32.const 4)) (i32.const 3000)";
    let failure = contained(body, "error");
    assert_eq!(failure, Failure::Refused("test".into()));
}

#[test]
fn bad_guests_do_not_stop_good_ones() {
    let runtime = runtime();
    let bad = Arc::new(runtime.load(&validator("(loop (br 0)) (unreachable)")).unwrap().bind(binding(&[])).unwrap());
    let good = Arc::new(runtime.load(&validator(OK)).unwrap().bind(binding(&[])).unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    for n in 0..20 {
        let (policy, sender) = (if n % 4 == 0 { bad.clone() } else { good.clone() }, sender.clone());
        runtime.pool().spawn(move || sender.send((n, policy.validate(&Call::of(&request(), None)).outcome)).unwrap()).unwrap();
    }
    drop(sender);
    let answers: Vec<_> = receiver.iter().collect();
    assert_eq!(answers.len(), 20);
    assert!(answers.iter().all(|(n, outcome)| outcome.is_ok() != (n % 4 == 0)), "{answers:?}");
}

#[test]
fn an_import_needs_its_grant() {
    let runtime = runtime();
    let module =
        runtime.load(&component(LOG, "(call $log (i32.const 2) (i32.const 512) (i32.const 4)) (i32.const 2048)")).unwrap();
    let error = module.bind(binding(&[])).err().unwrap();
    assert_eq!(error.to_string(), "the module imports `gatehouse:policy/log@1.0.0`, which needs the grant `log`");
    let answer = module.bind(binding(&[Grant::Log])).unwrap().validate(&Call::of(&request(), None));
    assert_eq!(answer.log, [LogLine { level: "warn", message: "test".into() }]);
    answer.outcome.unwrap();
}

#[test]
fn a_storm_of_log_lines_is_cut() {
    let runtime = runtime();
    let body = "(local $n i32)
        (loop (call $log (i32.const 0) (i32.const 512) (i32.const 4))
          (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000))))
        (i32.const 2048)";
    let module = runtime.load(&component(LOG, body)).unwrap();
    let answer = module.bind(binding(&[Grant::Log])).unwrap().validate(&Call::of(&request(), None));
    assert_eq!(answer.log.len(), limits::LOG_LINES_MAX);
}

/// WASI as a language brings it, in little.
const WASI: &str = "package test:guest;
    world guest {
      import wasi:random/random@0.2.6; import wasi:clocks/wall-clock@0.2.6; import wasi:cli/stdout@0.2.6; import wasi:cli/exit@0.2.6;
      include gatehouse:policy/validator@1.0.0;
    }
    package wasi:random@0.2.6 { interface random { get-random-u64: func() -> u64; } }
    package wasi:clocks@0.2.6 {
      interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; resolution: func() -> datetime; }
    }
    package wasi:io@0.2.6 {
      interface streams { resource output-stream { write: func(bytes: list<u8>) -> result; splice: func() -> result; } }
    }
    package wasi:cli@0.2.6 {
      interface stdout { use wasi:io/streams@0.2.6.{output-stream}; get-stdout: func() -> output-stream; }
      interface exit { exit: func(status: result); }
    }";

fn with_wasi(import: &str, body: &str) -> Result<Verdict, Failure> {
    let guest = component::Guest { foreign: WASI, import, body, ..component::Guest::default() };
    let module = runtime().load(&guest.build()).unwrap();
    module.bind(binding(&[])).unwrap().validate(&Call::of(&request(), None)).outcome
}

#[test]
fn wasi_answers_from_the_request_alone() {
    let random = r#"(import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))"#;
    // What is random follows from the request: the same number in another runtime, and not zero.
    let differs = |number: i64| format!("(if (i64.eq (call $random) (i64.const {number})) (then unreachable)) (i32.const 2048)");
    assert!(with_wasi(random, &differs(0)).is_ok());
    let expected = wasi::State::of(&request()).random() as i64;
    assert_eq!(with_wasi(random, &differs(expected)).unwrap_err().reason(), "trap");

    let clock = r#"(import "wasi:clocks/wall-clock@0.2.6" "now" (func $now (param i32)))"#;
    let body = "(call $now (i32.const 3200))
        (if (i64.ne (i64.load (i32.const 3200)) (i64.const 1900000000)) (then unreachable)) (i32.const 2048)";
    assert!(with_wasi(clock, body).is_ok());
}

#[test]
fn what_is_not_read_of_a_request_moves_no_clock_and_no_random_number() {
    let clock = r#"(import "wasi:clocks/wall-clock@0.2.6" "now" (func $now (param i32)))
        (import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))"#;
    let nothing = wasi::State::of(&Request { uid: String::new(), ..request() }).random() as i64;
    let body = format!(
        "(call $now (i32.const 3200)) (if (i64.ne (i64.load (i32.const 3200)) (i64.const 0)) (then unreachable))
         (if (i64.ne (call $random) (i64.const {nothing})) (then unreachable)) (i32.const 2048)"
    );
    let guest =
        component::Guest { foreign: WASI, import: clock, body: &body, reads_request: &[2, 4], ..component::Guest::default() };
    let module = runtime().load(&guest.build()).unwrap();
    module.bind(binding(&[])).unwrap().validate(&Call::of(&request(), None)).outcome.unwrap();
}

#[test]
fn who_needs_a_user_reads_him() {
    let guest = component::Guest { needs_user: true, reads_request: &[0], ..component::Guest::default() };
    let why = runtime().load(&guest.build()).err().unwrap().to_string();
    assert!(why.contains("`needs-user` without `user` in `reads-request`"), "{why}");
    let import = r#"(import "gatehouse:policy/authorizer@1.0.0" "check" (func (param i32 i32)))"#;
    let guest = component::Guest { import, reads_request: &[], ..component::Guest::default() };
    let why = runtime().load(&guest.build()).err().unwrap().to_string();
    assert!(why.contains("an import of the authorizer without `user` in `reads-request`"), "{why}");
}

#[test]
fn wasi_has_nothing_behind_it() {
    let stdout = r#"(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
        (import "wasi:io/streams@0.2.6" "[method]output-stream.write" (func $write (param i32 i32 i32) (result i32)))
        (import "wasi:io/streams@0.2.6" "[method]output-stream.splice" (func $splice (param i32) (result i32)))
        (import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))"#;
    with_wasi(stdout, "(drop (call $write (call $stdout) (i32.const 512) (i32.const 4))) (i32.const 2048)").unwrap();
    let failure = with_wasi(stdout, "(drop (call $splice (call $stdout))) (i32.const 2048)").unwrap_err();
    assert!(failure.to_string().contains("splice"), "{failure}");
    let failure = with_wasi(stdout, "(call $exit (i32.const 0)) (i32.const 2048)").unwrap_err();
    assert_eq!(failure, Failure::Trap("it called exit".into()));
}

#[test]
fn what_is_no_policy_is_not_loaded() {
    let runtime = runtime();
    let load = |bytes: &[u8]| runtime.load(bytes).err().unwrap().to_string();
    assert!(load(b"(component)").contains("does not begin as wasm does"));
    assert!(load(b"\x7fELF\x02\x01\x01").contains("compiled code"));
    assert!(load(&wat::parse_str("(module)").unwrap()).contains("it is a core module"));
    assert!(load(&wat::parse_str("(component)").unwrap()).contains("it exports nothing"));
    assert!(load(&vec![0; MODULE_BYTES_MAX + 1]).contains("more than the 33554432"));
    let foreign = wat::parse_str("(component (import \"evil:files/open@1.0.0\" (instance)))").unwrap();
    assert_eq!(load(&foreign), "the component imports `evil:files/open@1.0.0`, which no policy can be granted");
    let sockets = wat::parse_str("(component (import \"wasi:sockets/tcp@0.2.6\" (instance)))").unwrap();
    assert_eq!(load(&sockets), "the component imports `wasi:sockets/tcp@0.2.6`, which no policy can be granted");
    let mut damaged = validator(OK);
    damaged.truncate(damaged.len() / 2);
    assert!(load(&damaged).starts_with("compile the component"));
}

#[test]
fn compiled_code_is_taken_only_from_ourselves() {
    let directory = tempfile::tempdir().unwrap();
    let start = || Runtime::start(&Options { artifacts: Some(directory.path().to_owned()), threads: 1, ..options() }).unwrap();
    let bytes = validator(OK);
    assert_ne!(start().load(&bytes).unwrap().compile_ms, 0);
    assert_eq!(start().load(&bytes).unwrap().compile_ms, 0, "found compiled");
    let artifact = std::fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().path()).find(|p| !p.ends_with("key")).unwrap();
    let mut code = std::fs::read(&artifact).unwrap();
    let middle = code.len() / 2;
    code[middle] ^= 1;
    std::fs::write(&artifact, code).unwrap();
    assert_ne!(start().load(&bytes).unwrap().compile_ms, 0, "a changed artifact is compiled anew");
    assert_eq!(start().load(&bytes).unwrap().compile_ms, 0);
    std::fs::remove_file(directory.path().join("key")).unwrap();
    assert_ne!(start().load(&bytes).unwrap().compile_ms, 0, "another key trusts nothing");
}

#[test]
fn compiled_code_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("modules");
    Runtime::start(&Options { artifacts: Some(path.clone()), threads: 1, ..options() }).unwrap().load(&validator(OK)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in std::fs::read_dir(&path).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_process_that_was_ended_is_started_again() {
    let runtime = runtime();
    let policy = runtime.load(&validator(OK)).unwrap().bind(binding(&[])).unwrap();
    let Some(apart) = &runtime.apart else { return };
    for _ in 0..3 {
        assert_eq!(apart.kill(), 1, "one process ran everything so far");
        policy.validate(&Call::of(&request(), None)).outcome.unwrap();
    }
}

#[test]
fn what_nobody_has_is_forgotten() {
    let runtime = runtime();
    for _ in 0..3 {
        let policy = runtime.load(&validator(OK)).unwrap().bind(binding(&[])).unwrap();
        policy.validate(&Call::of(&request(), None)).outcome.unwrap();
    }
    let policy = runtime.load(&validator(OK)).unwrap().bind(binding(&[])).unwrap();
    policy.validate(&Call::of(&request(), None)).outcome.unwrap();
    let Some(apart) = &runtime.apart else { return };
    assert_eq!(apart.held(), [2], "a module and a binding");
}

#[test]
fn who_is_to_be_brief_and_is_not_is_ended_soon() {
    let runtime = runtime();
    let (request, object) = (request(), b"{}".to_vec());
    let outcome = |body: &str, briefly: bool| {
        let policy = runtime.load(&validator(body)).unwrap().bind(binding(&[])).unwrap();
        let outcome = policy.validate(&Call { briefly, ..Call::of(&request, Some(&object)) }).outcome;
        (outcome.err(), policy.pace())
    };
    let (failure, pace) = outcome(OK, true);
    assert_eq!(failure, None);
    let (failure, slow) = outcome("(loop (br 0)) unreachable", true);
    if pace.is_none() {
        // Elsewhere nobody is held up, and no call is brief.
        assert_eq!((failure.unwrap().reason(), slow), ("timeout", None));
        return;
    }
    assert_eq!(failure, Some(Failure::NotBrief));
    assert!(slow > Some(limits::TICK / 2), "it is known to be slow: {slow:?}");
}
