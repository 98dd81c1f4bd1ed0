//! PriorityLevelConfiguration. Upstream: `pkg/apis/flowcontrol/validation`. Which of its parts a type must or may not have is
//! declared. That it steers nothing yet is `conformance/gaps/identity.txt`'s.

use model::field::{Errors, Path};
use model::{Value, meta};

use super::Hooks;
use super::flowschema::{mandatory, validate_status};
use super::rules::{get, internal, text};

/// Of v1beta3 only, where it tells zero from unset.
const ROUND_TRIP: &str = "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares";
const EXEMPT: &str = "exempt";
const QUEUES_MAX: i64 = 10_000_000;
/// As many bits as a hash gives to deal hands of queues from.
const ENTROPY_BITS_MAX: i64 = 60;

pub(super) const HOOKS: Hooks = Hooks {
    validate: Some(validate),
    validate_update: Some(|new, _, errors| validate(new, errors)),
    validate_status: Some(|new, _, errors| validate_status(new, errors)),
    ..Hooks::NONE
};

fn validate(level: &Value, errors: &mut Errors) {
    if meta::annotation(level, ROUND_TRIP).is_some() {
        errors.forbidden(&Path::new("metadata.annotations"), format!("annotation '{ROUND_TRIP}' is forbidden"));
    }
    let (spec, path) = (get::at(level, "spec"), Path::new("spec"));
    let called = meta::name(level);
    validate_spec(spec, called, &path, errors);
    validate_mandatory(spec, called, &path, errors);
    validate_status(level, errors);
}

fn validate_spec(spec: &Value, called: &str, path: &Path, errors: &mut Errors) {
    let kind = get::text(spec, "type");
    if (called == EXEMPT) != (kind == "Exempt") {
        errors.invalid_named(&path.child("type"), kind, "must be 'Exempt' if and only if `name` is 'exempt'");
    }
    let (limited, exempt) = (get::object(spec, "limited"), get::object(spec, "exempt"));
    match kind {
        "Exempt" => {
            if limited.is_some() {
                errors.forbidden(&path.child("limited"), "must be nil if the type is not Limited");
            }
            if let Some(exempt) = exempt {
                let path = path.child("exempt");
                shares(exempt, &path, errors);
                lendable(exempt, &path, errors);
            }
        }
        "Limited" => {
            if exempt.is_some() {
                errors.forbidden(&path.child("exempt"), "must be nil if the type is Limited");
            }
            match limited {
                None => errors.required(&path.child("limited"), "must not be empty when type is Limited"),
                Some(limited) => validate_limited(limited, &path.child("limited"), errors),
            }
        }
        _ => text::required_one_of(kind, &["Exempt", "Limited"], &path.child("type"), errors),
    }
}

fn shares(holder: &Value, path: &Path, errors: &mut Errors) {
    let shares = get::number(holder, "nominalConcurrencyShares");
    if shares < 0 {
        errors.invalid(&path.child("nominalConcurrencyShares"), shares, "must be a non-negative integer");
    }
}

fn lendable(holder: &Value, path: &Path, errors: &mut Errors) {
    let percent = get::number(holder, "lendablePercent");
    if !(0..=100).contains(&percent) {
        errors.invalid(&path.child("lendablePercent"), percent, "must be between 0 and 100, inclusive");
    }
}

fn validate_limited(limited: &Value, path: &Path, errors: &mut Errors) {
    shares(limited, path, errors);
    let (response, at) = (get::at(limited, "limitResponse"), path.child("limitResponse"));
    let kind = get::text(response, "type");
    match (kind, get::object(response, "queuing")) {
        ("Reject", Some(_)) => {
            errors.forbidden(&at.child("queuing"), "must be nil if limited.limitResponse.type is not Limited");
        }
        ("Reject", None) => {}
        ("Queue", None) => {
            errors.required(&at.child("queuing"), "must not be empty if limited.limitResponse.type is Limited");
        }
        ("Queue", Some(queuing)) => validate_queuing(queuing, &at.child("queuing"), errors),
        _ => text::required_one_of(kind, &["Queue", "Reject"], &at.child("type"), errors),
    }
    lendable(limited, path, errors);
    let borrowing = get::number(limited, "borrowingLimitPercent");
    if borrowing < 0 {
        errors.invalid(&path.child("borrowingLimitPercent"), borrowing, "if specified, must be a non-negative integer");
    }
}

fn validate_queuing(queuing: &Value, path: &Path, errors: &mut Errors) {
    let [limit, queues, hand] = ["queueLengthLimit", "queues", "handSize"].map(|field| get::number(queuing, field));
    if limit <= 0 {
        errors.invalid(&path.child("queueLengthLimit"), limit, "must be positive");
    }
    if queues <= 0 {
        errors.invalid(&path.child("queues"), queues, "must be positive");
    } else if queues > QUEUES_MAX {
        errors.invalid(&path.child("queues"), queues, format!("must not be greater than {QUEUES_MAX}"));
    }
    let at = path.child("handSize");
    if hand <= 0 {
        errors.invalid(&at, hand, "must be positive");
    } else if hand > queues {
        errors.invalid(&at, hand, format!("should not be greater than queues ({queues})"));
    } else if entropy_bits(queues, hand) > ENTROPY_BITS_MAX {
        let why = format!(
            "required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {ENTROPY_BITS_MAX}"
        );
        errors.invalid(&at, hand, why);
    }
}

/// `shufflesharding.RequiredEntropyBits`.
fn entropy_bits(deck: i64, hand: i64) -> i64 {
    ((deck as f64).log2() * hand as f64).ceil() as i64
}

/// Two levels are what every cluster has; only the shares of the exempt one may be chosen.
fn validate_mandatory(spec: &Value, called: &str, path: &Path, errors: &mut Errors) {
    let Some(fixed) = mandatory("mandatoryPriorityLevelConfigurations", called) else { return };
    let (mut wanted, mut given, mut but) = (fixed["spec"].clone(), spec.clone(), "");
    if called == EXEMPT {
        get::remove(&mut wanted, "exempt");
        get::remove(&mut given, "exempt");
        but = " except the 'spec.exempt' field";
    }
    if wanted != given {
        let why = format!("spec of '{called}'{but} must equal the fixed value");
        errors.invalid(path, internal::show(spec, internal::PRIORITY_LEVEL), why);
    }
}
