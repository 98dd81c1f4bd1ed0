//! `gatehouse policy …`: what an author of policies does all day. Every verdict comes from the server's own evaluator.

mod arguments;
mod bench;
mod build;
mod cases;
mod cel;
mod check;
mod contract;
mod corpus;
mod diff;
mod document;
mod exceptions;
mod explain;
mod fake;
mod form;
mod inspect;
mod key;
mod keygen;
mod language;
mod listed;
mod live;
mod manifest;
mod new;
mod pods;
mod pull;
mod push;
mod record;
mod remote;
mod replay;
mod report;
mod rollback;
mod rollout;
mod run;
mod scan;
mod sdk;
mod sign;
mod subject;
mod template;
mod test;
mod verdicts;
mod verify;

use std::process::ExitCode;

use arguments::{Arguments, Known};
use live::NAMESPACE;
use remote::{CA, INSECURE};

/// What went wrong, for a person.
type Outcome = Result<(), String>;

type Run = fn(&Arguments) -> Outcome;

/// One command.
struct Command {
    name: &'static str,
    /// The words without a name, as help shows them, and how many there may be.
    words: (&'static str, usize),
    what: &'static str,
    options: &'static [Known],
    /// The words after the command's name, and what else a shell makes of the line.
    examples: &'static [&'static str],
    run: Run,
}

const SETTINGS: Known =
    ("settings", "FILE", "settings instead of those in binding.yaml; for a policy in CEL the spec of its parameters");
const CLUSTER: Known =
    ("cluster", "FILE", "objects that the policy finds in its cluster; a file or a folder, as often as needed");
const CORPUS: Known =
    ("corpus", "FILE", "requests to judge: what record wrote, or objects (a file, a folder, or - for what is piped in)");
const RESOURCES: Known =
    ("resources", "LIST", "what to read of the cluster, such as pods,deployments.apps; what binding.yaml matches when left out");
const CONTEXT: Known = ("context", "NAME", "kubectl's context; the current one when left out");

const COMMANDS: &[Command] = &[
    Command {
        name: "new",
        words: ("NAME", 1),
        what: "makes a folder with a policy that works, its cases and its binding",
        options: &[
            ("lang", "rust|go|js|python|cel", "what it is written in; rust when left out"),
            ("world", "validator|mutator", "whether it judges or changes; validator when left out"),
        ],
        examples: &["no-latest", "no-latest --lang go", "team-labels --world mutator"],
        run: new::run,
    },
    Command {
        name: "sdk",
        words: ("[FOLDER]", 1),
        what: "puts the SDK of this program into a policy's folder, in place of the one that another release put there",
        options: &[],
        examples: &["", "no-latest"],
        run: sdk::run,
    },
    Command {
        name: "build",
        words: ("[FOLDER]", 1),
        what: "builds the policies of a folder to wasm",
        options: &[("out", "FOLDER", "where to; target/policies beside each policy when left out")],
        examples: &["", "policies --out dist"],
        run: build::run,
    },
    Command {
        name: "check",
        words: ("[FOLDER|FILE.wasm|FILE.yaml]", 1),
        what: "says what a server would refuse, and what reviewers would ask: imports against grants, settings against their schema, size, cases",
        options: &[],
        examples: &["", "dist/no-latest.wasm", "policy.yaml"],
        run: check::run,
    },
    Command {
        name: "test",
        words: ("[FOLDER|FILE.wasm]", 1),
        what: "runs cases/*.yaml by the server's own evaluator, in wasm or in CEL; no case at all is a failure",
        options: &[
            ("output", "human|json|junit", "how the outcome is written to standard output"),
            ("cases", "FOLDER", "cases from there instead of cases/"),
            ("only", "TEXT", "the cases alone that have this in their name"),
        ],
        examples: &["", "--only \"no tag\"", "--output junit", "no-latest --cases more-cases"],
        run: test::run,
    },
    Command {
        name: "cases",
        words: ("[FOLDER]", 1),
        what: "prints the cases as JSON, with what their files leave out: the test runners of the SDKs read them",
        options: &[("cases", "FOLDER", "cases from there instead of cases/")],
        examples: &[""],
        run: listed::run,
    },
    Command {
        name: "run",
        words: ("[FOLDER|FILE.wasm]", 1),
        what: "judges one object, a rendered chart (helm template … | gatehouse policy run --object -) or what is live, and the Pods that workloads among these will have",
        options: &[
            ("object", "FILE", "what to judge: YAML or JSON, several documents or one; - for standard input"),
            ("live", "WORDS", "what to judge, read by kubectl get WORDS, such as \"pod web -n shop\""),
            ("old", "FILE", "the object as it was before"),
            ("operation", "WORD", "CREATE, UPDATE, DELETE or CONNECT; what fits the objects when left out"),
            ("user", "NAME", "who asks"),
            ("group", "NAME", "a group of theirs, as often as needed"),
            ("params", "FILE", "the object that the binding would name under paramRef"),
            SETTINGS,
            CLUSTER,
            CONTEXT,
        ],
        examples: &[
            "--object pod.yaml",
            "--object pod.yaml --user jane --group dev --operation UPDATE --old before.yaml",
            "--live \"pod web -n shop\"",
        ],
        run: run::run,
    },
    Command {
        name: "bench",
        words: ("[FOLDER|FILE.wasm]", 1),
        what: "measures calls: processor time, wall time, and the instructions of the guest (fuel), which are the same on every machine",
        options: &[
            ("object", "FILE", "what to judge; the first case that has a verdict, with all that it gives, when left out"),
            ("calls", "NUMBER", "how many; 20000 when left out"),
            ("save", "FILE", "writes the numbers as JSON"),
            ("compare", "FILE", "fails when more fuel is needed than in these numbers"),
            ("threshold", "PERCENT", "how much more is fine; 5 when left out"),
            SETTINGS,
            CLUSTER,
        ],
        examples: &["--calls 1000 --save before.json", "--calls 1000 --compare before.json --threshold 5"],
        run: bench::run,
    },
    Command {
        name: "record",
        words: ("[FOLDER|FILE.wasm]", 1),
        what: "writes requests down for replay and diff: those of an audit log, or what a cluster holds as if it were made now",
        options: &[
            ("out", "FILE", "where to; one request a line"),
            ("audit", "FILE", "an audit log of level RequestResponse (kube-apiserver's or Gatehouse's)"),
            RESOURCES,
            CONTEXT,
        ],
        examples: &["--out requests.jsonl --audit audit.log", "--out requests.jsonl --resources pods,deployments.apps"],
        run: record::run,
    },
    Command {
        name: "replay",
        words: ("[FOLDER|FILE.wasm]", 1),
        what: "judges recorded requests, tells the verdicts, and which are others than the server's were",
        options: &[
            CORPUS,
            ("save", "FILE", "writes the verdicts, one a line"),
            ("same", "", "fails where a verdict is another than the server's"),
            SETTINGS,
            CLUSTER,
        ],
        examples: &["--corpus requests.jsonl", "--corpus requests.jsonl --same"],
        run: replay::run,
    },
    Command {
        name: "diff",
        words: ("OLD NEW", 2),
        what: "tells which verdicts change from one policy to another, over recorded requests or a cluster",
        options: &[CORPUS, RESOURCES, CONTEXT, SETTINGS, CLUSTER],
        examples: &["old/no-latest.wasm . --corpus requests.jsonl", "old/no-latest.wasm ."],
        run: diff::run,
    },
    Command {
        name: "scan",
        words: ("[FOLDER|FILE.wasm]", 1),
        what: "judges what a cluster holds now, with its PolicyExceptions, or files with theirs; fails when something is wrong",
        options: &[RESOURCES, CONTEXT, CORPUS, SETTINGS, CLUSTER],
        examples: &["", "--resources pods --context staging"],
        run: scan::run,
    },
    Command {
        name: "explain",
        words: ("[AUDIT-ID]", 1),
        what: "tells why a request was refused (without an id which ones were), or what policies say of a live object: policy, revision, rule, field, settings, and who was not asked",
        options: &[
            ("audit", "FILE", "the audit log that has the request"),
            ("live", "WORDS", "an object, read by kubectl get WORDS, such as \"pod web -n shop\""),
            CONTEXT,
        ],
        examples: &["--audit audit.log", "8f0c43c1-7a1b-4b0e-9f56-3d1f7e3c5a10 --audit audit.log", "--live \"pod web -n shop\""],
        run: explain::run,
    },
    Command {
        name: "rollout",
        words: ("BINDING", 1),
        what: "puts a candidate beside what is in force, widens it by namespaces, promotes it; tells how it differs when nothing is said",
        options: &[
            ("candidate", "MODULE", "another PolicyModule; the binding's own when left out"),
            ("settings", "FILE", "other settings"),
            ("namespaces", "KEY=VALUE,...", "namespaces with these labels have the candidate in force"),
            ("promote", "", "the candidate is in force everywhere"),
            NAMESPACE,
            CONTEXT,
        ],
        examples: &[
            "no-latest",
            "no-latest --candidate no-latest-2",
            "no-latest --namespaces stage=test",
            "no-latest --promote",
            "no-latest --settings settings.yaml --namespace shop",
        ],
        run: rollout::run,
    },
    Command {
        name: "rollback",
        words: ("BINDING", 1),
        what: "takes a candidate back, or the last promotion",
        options: &[NAMESPACE, CONTEXT],
        examples: &["no-latest"],
        run: rollback::run,
    },
    Command {
        name: "manifest",
        words: ("[FOLDER|FILE.wasm|FILE.yaml]", 1),
        what: "prints what kubectl applies: the module and its binding, or the policy in CEL with all that belongs to it",
        options: &[
            ("from", "REFERENCE", "the server takes the component from this registry instead of from the object"),
            ("key", "FILE", "a public key that must have signed it, as often as needed"),
            ("signature", "FILE", "a signature over the component, which gatehouse policy sign wrote"),
            CA,
            INSECURE,
        ],
        examples: &[
            "| kubectl apply -f -",
            "--from registry.example/policies/no-latest:1.0.0 --key policy.pub | kubectl apply -f -",
        ],
        run: manifest::run,
    },
    Command {
        name: "push",
        words: ("REFERENCE [FOLDER|FILE.wasm]", 2),
        what: "writes a component to an OCI registry, with what docker login knows of it",
        options: &[CA, INSECURE],
        examples: &["registry.example/policies/no-latest:1.0.0", "localhost:5000/no-latest:1.0.0 dist/no-latest.wasm --insecure"],
        run: push::run,
    },
    Command {
        name: "pull",
        words: ("REFERENCE", 1),
        what: "reads a component from an OCI registry",
        options: &[("out", "FILE", "where to"), ("digest", "DIGEST", "the digest that the component must have"), CA, INSECURE],
        examples: &["registry.example/policies/no-latest:1.0.0 --out no-latest.wasm"],
        run: pull::run,
    },
    Command {
        name: "inspect",
        words: ("[REFERENCE|FOLDER|FILE.wasm]", 1),
        what: "tells what a component is, reads and demands",
        options: &[CA, INSECURE],
        examples: &["", "registry.example/policies/no-latest:1.0.0"],
        run: inspect::run,
    },
    Command {
        name: "keygen",
        words: ("[NAME]", 1),
        what: "makes a key that signs policies: NAME.key and NAME.pub",
        options: &[("type", "ecdsa|ed25519", "ecdsa when left out, which cosign knows too")],
        examples: &["", "release --type ed25519"],
        run: keygen::run,
    },
    Command {
        name: "sign",
        words: ("FILE.wasm|REFERENCE", 1),
        what: "signs a component: into FILE.wasm.sig, or beside the artifact in its registry as cosign does",
        options: &[("key", "FILE", "the private key in PEM"), CA, INSECURE],
        examples: &["dist/no-latest.wasm --key policy.key", "registry.example/policies/no-latest:1.0.0 --key policy.key"],
        run: sign::run,
    },
    Command {
        name: "verify",
        words: ("FILE.wasm|REFERENCE", 1),
        what: "fails unless a component is signed by a key",
        options: &[
            ("key", "FILE", "a public key in PEM, as often as needed"),
            ("signature", "FILE", "the signature of a file; FILE.wasm.sig when left out"),
            CA,
            INSECURE,
        ],
        examples: &["dist/no-latest.wasm --key policy.pub", "registry.example/policies/no-latest:1.0.0 --key policy.pub"],
        run: verify::run,
    },
];

/// Leaves quietly when nobody reads what is printed any more, as in `gatehouse policy manifest | head`: Rust would panic, and
/// tell of it as of a fault of its own.
fn leave_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if said.starts_with("failed printing to stdout") {
            std::process::exit(READER_GONE);
        }
        usual(panic);
    }));
}

/// What a shell sees of programs that the kernel ends for writing to nobody (128 and SIGPIPE).
const READER_GONE: i32 = 141;

/// Runs one of the commands.
pub(crate) fn run(words: &[String]) -> ExitCode {
    leave_with_the_reader();
    let command = words.first().and_then(|word| COMMANDS.iter().find(|command| command.name == word));
    let Some(command) = command else { return help(words) };
    if words.iter().any(|word| word == "--help" || word == "-h") {
        explain(command);
        return ExitCode::SUCCESS;
    }
    match Arguments::read(&words[1..], command.words.1, command.options).and_then(|arguments| (command.run)(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("Error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn help(words: &[String]) -> ExitCode {
    println!("gatehouse policy: write, build, test and ship admission policies.\n");
    for Command { name, words, what, .. } in COMMANDS {
        println!("  {:<38} {what}", format!("{name} {}", words.0));
    }
    println!(
        "\nA policy is a folder that gatehouse policy new wrote, a component, or YAML of an admission policy in CEL. Use \"gatehouse policy <command> --help\"."
    );
    match words.first().map(String::as_str) {
        None | Some("help" | "--help" | "-h") => ExitCode::SUCCESS,
        Some(other) => {
            eprintln!("\nError: unknown command {other:?} for \"gatehouse policy\"");
            ExitCode::FAILURE
        }
    }
}

fn explain(command: &Command) {
    let Command { name, words, what, options, examples, .. } = command;
    let rest = if options.is_empty() { "" } else { " [options]" };
    println!("gatehouse policy {name} {}{rest}\n\n{what}.", words.0);
    if !options.is_empty() {
        println!("\nOptions:");
    }
    for (name, value, what) in *options {
        println!("  {:<28} {what}", format!("--{name} {value}"));
    }
    println!("\nExamples:");
    for example in *examples {
        println!("  {}", format!("gatehouse policy {name} {example}").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of an example as a shell takes them apart, up to what it hands to another program.
    fn words(example: &str) -> Vec<String> {
        let command = example.split('|').next().unwrap_or_default();
        let parts = command.split('"').enumerate();
        let words = parts.flat_map(|(n, part)| if n % 2 == 1 { vec![part] } else { part.split_whitespace().collect() });
        words.map(str::to_owned).collect()
    }

    #[test]
    fn every_example_can_be_said() {
        for Command { name, words: (_, most), options, examples, .. } in COMMANDS {
            assert!(!examples.is_empty(), "{name} has no example");
            for example in *examples {
                let read = Arguments::read(&words(example), *most, options);
                assert!(read.is_ok(), "{name} {example}: {read:?}");
            }
        }
    }
}
