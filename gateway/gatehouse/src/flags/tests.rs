//! The table against upstream's, and what a command line comes to.

use super::value::{Values, duration};
use crate::program::Program;

use super::*;

/// Name and default of every flag of kube-apiserver 1.37.2, as its flag sets list them.
const UPSTREAM: &str = include_str!("upstream.txt");

fn line(arguments: &[&str]) -> Parsed {
    parse("kube-apiserver", &arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>())
}

#[test]
fn knows_every_flag_of_upstream_once_and_its_default() {
    /// Defaults that differ, each for the reason its help gives.
    const OWN: &[&str] = &["cert-dir", "kubelet-preferred-address-types"];
    let mut names: Vec<&str> = CONCERNS.iter().flat_map(|(_, flags)| flags.iter().map(|flag| flag.name)).collect();
    for row in UPSTREAM.lines() {
        let (name, default) = row.split_once('\t').unwrap();
        let flag = find(name).unwrap_or_else(|| panic!("{name} has no row"));
        if !OWN.contains(&name) {
            assert_eq!(flag.default, default, "default of {name}");
        }
    }
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "a flag has two rows");
}

#[test]
fn reads_flags_in_every_spelling() {
    let parsed = line(&[
        "--secure-port",
        "0",
        "--anonymous-auth=false",
        "--profiling",
        "-v2",
        "--service-account-issuer=a",
        "--service-account-issuer",
        "b",
    ]);
    let mut values = Values::new(&parsed);
    assert_eq!(values.number::<u16>("secure-port"), 0);
    assert!(!values.switch("anonymous-auth"));
    assert_eq!(values.text("v"), "2");
    assert_eq!(values.each("service-account-issuer"), ["a", "b"]);
    assert_eq!(values.number::<usize>("max-requests-inflight"), 400);
    assert_eq!(parsed.without_effect, ["profiling"]);
    assert!(values.errors.is_empty());
}

#[test]
fn a_version_is_asked_for_or_given() {
    assert!(line(&["--version"]).version);
    assert!(!line(&["--version=false"]).version);
    let given = line(&["--version=v1.37.2-custom"]);
    assert_eq!((given.version, given.reported.as_deref()), (false, Some("v1.37.2-custom")));
}

#[test]
fn reports_everything_that_is_wrong_in_cobras_words() {
    let parsed = line(&["--no-such", "-z", "stray", "--anonymous-auth=maybe", "--tracing-config-file=t", "--data-dir"]);
    assert_eq!(
        parsed.errors,
        [
            "unknown flag: --no-such",
            "unknown shorthand flag: 'z' in -z",
            "\"kube-apiserver\" does not take any arguments, got \"stray\"",
            "invalid argument \"maybe\" for \"--anonymous-auth\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax",
            "--tracing-config-file is refused: traces are not sent anywhere yet",
            "flag needs an argument: --data-dir",
        ]
    );
}

#[test]
fn a_refused_flag_with_upstreams_default_is_harmless() {
    assert!(line(&["--oidc-username-claim=sub", "--egress-selector-config-file="]).errors.is_empty());
}

#[test]
fn durations_are_gos() {
    assert_eq!(duration("1h0m0s").unwrap().as_secs(), 3600);
    assert_eq!(duration("1.5s").unwrap().as_millis(), 1500);
    assert_eq!(duration("0").unwrap().as_secs(), 0);
    assert_eq!(duration("100us").unwrap().as_micros(), 100);
    assert!(["", "5", "5x", "s", "-1s"].iter().all(|text| duration(text).is_none()));
}

#[test]
fn the_help_lists_every_flag_with_its_status() {
    let help = help::text(Program::Gatehouse);
    for flag in CONCERNS.iter().flat_map(|(_, flags)| flags.iter()) {
        let lines: Vec<_> = help.lines().filter(|l| l.contains(&format!("--{} ", flag.name))).collect();
        assert!(!lines.is_empty(), "{} is missing", flag.name);
    }
    assert!(
        help.lines().any(|l| l.contains("--tracing-config-file ") && l.contains("[refused] traces are not sent anywhere yet"))
    );
}
