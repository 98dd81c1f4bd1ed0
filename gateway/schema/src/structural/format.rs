//! The formats that a custom resource's schema may name, and what has them. Follows the table in
//! `apiserver/validation/formats.go` and the registry of `kube-openapi/pkg/validation/strfmt`. Every other format is
//! ignored.

mod mail;
mod net;
mod number;
mod time;
mod uri;

use model::name;

use super::Type;

/// Longest value of `k8s-short-name`.
const SHORT_NAME_BYTES_MAX: usize = 63;
/// Longest value of `k8s-long-name`.
const LONG_NAME_BYTES_MAX: usize = 253;

/// Whether a text has a format.
type Check = fn(&str) -> bool;

/// Formats of texts, their names without dashes: upstream takes `date-time` and `datetime` for one.
const TEXTS: [(&str, Check); 26] = [
    ("bsonobjectid", number::is_object_id),
    ("uri", uri::is_request_uri),
    ("email", mail::is_address),
    ("hostname", net::is_hostname),
    ("ipv4", net::is_ipv4),
    ("ipv6", net::is_ipv6),
    ("cidr", net::is_cidr),
    ("mac", net::is_mac),
    ("uuid", number::is_uuid),
    ("uuid3", number::is_uuid3),
    ("uuid4", number::is_uuid4),
    ("uuid5", number::is_uuid5),
    ("isbn", number::is_isbn),
    ("isbn10", number::is_isbn10),
    ("isbn13", number::is_isbn13),
    ("creditcard", number::is_credit_card),
    ("ssn", number::is_ssn),
    ("hexcolor", number::is_hex_color),
    ("rgbcolor", number::is_rgb_color),
    ("byte", number::is_base64),
    ("password", |_| true),
    ("date", time::is_date),
    ("duration", time::is_duration),
    ("datetime", time::is_date_time),
    ("k8sshortname", |value| value.len() <= SHORT_NAME_BYTES_MAX && name::is_dns1123_label(value).is_empty()),
    ("k8slongname", |value| value.len() <= LONG_NAME_BYTES_MAX && is_long_name(value)),
];

fn is_long_name(value: &str) -> bool {
    value.split('.').all(|part| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    })
}

/// A format that counts.
#[derive(Clone, Debug)]
pub(super) struct Format {
    /// As the schema spells it, for messages.
    pub name: Box<str>,
    /// How a text is checked; none where the format is that of a number.
    check: Option<Check>,
}

impl Format {
    /// The format of a schema, if it has one that counts for its type.
    pub(super) fn of(format: &str, kind: Option<Type>, int_or_string: bool) -> Option<Self> {
        is_known(format, kind.filter(|_| !int_or_string)).then(|| Self { name: format.into(), check: check(format) })
    }

    /// Whether texts have this format.
    pub(super) fn fits(&self, value: &str) -> Option<bool> {
        self.check.map(|check| check(value))
    }
}

fn check(format: &str) -> Option<Check> {
    let plain = format.replace('-', "");
    TEXTS.iter().find(|(name, _)| *name == plain).map(|(_, check)| *check)
}

/// Whether a format counts for values of a type; what does not count gets a warning when the definition is written.
pub fn is_known(format: &str, kind: Option<Type>) -> bool {
    match kind {
        None | Some(Type::String) => check(format).is_some(),
        Some(Type::Integer) => matches!(format, "int32" | "int64"),
        Some(Type::Number) => matches!(format, "float" | "double"),
        Some(Type::Object | Type::Array | Type::Boolean) => false,
    }
}

/// What Go's `url.ParseRequestURI` accepts.
pub fn is_uri(text: &str) -> bool {
    uri::is_request_uri(text)
}

/// Whether Go's `mail.ParseAddress` takes it: one address, with a name before it or none.
pub fn is_email(text: &str) -> bool {
    mail::is_address(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_with_and_without_dashes_for_texts_only() {
        assert!(is_known("date-time", Some(Type::String)) && is_known("datetime", None) && is_known("k8s-short-name", None));
        assert!(!is_known("date-time", Some(Type::Integer)) && !is_known("int-32", Some(Type::Integer)));
        assert!(is_known("int32", Some(Type::Integer)) && !is_known("int32", Some(Type::Number)) && !is_known("", None));
    }

    #[test]
    fn formats_hold_as_upstreams() {
        for (format, good, bad) in [
            ("bsonobjectid", &["507f1f77bcf86cd799439011"][..], &["507f1f77bcf86cd79943901", ""][..]),
            ("uri", &["http://a.b/c?d", "/path", "urn:x"], &["", "a/b", "http://[::1", "http://a b/", "%zz:"]),
            ("email", &["a@b", "A B <a@b.c>", "\"a b\"@c.d"], &["", "a", "a@", "@b", "a@b c"]),
            ("hostname", &["a", "a-b.com", "1.example.london"], &["", "a_b", "-a", "a b"]),
            ("ipv4", &["1.2.3.4", "01.02.03.04", "::ffff:1.2.3.4"], &["1.2.3", "::1", ""]),
            ("ipv6", &["::1", "::ffff:1.2.3.4"], &["1.2.3.4", "::g", "fe80::1%eth0"]),
            ("cidr", &["10.0.0.0/8", "010.0.0.1/8", "::/0"], &["10.0.0.0", "10.0.0.0/33", "::/129"]),
            ("mac", &["01:23:45:67:89:ab", "0123.4567.89ab", "01-23-45-67-89-AB-cd-ef"], &["01:23:45", "0123456789ab"]),
            ("uuid", &["123e4567-E89B-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000"], &["123e4567"]),
            ("uuid3", &["123e4567-e89b-32d3-a456-426614174000"], &["123e4567-e89b-42d3-a456-426614174000"]),
            ("uuid4", &["123e4567-e89b-42d3-a456-426614174000"], &["123e4567-e89b-42d3-c456-426614174000"]),
            ("isbn", &["0321751043", "978-0321751041", "043942089X"], &["0321751044", "978-0321751040"]),
            ("creditcard", &["4111-1111-1111-1111"], &["4111-1111-1111-1112", "", "1"]),
            ("ssn", &["111-11-1111", "111 11 1111"], &["111111111", "111-1-11111"]),
            ("hexcolor", &["#FFF", "ababab"], &["#FFFF", ""]),
            ("rgbcolor", &["rgb(0, 10,255)"], &["rgb(0,0,256)", "rgb(0,0)"]),
            ("byte", &["YWJj", "YQ=="], &["", "YWJ", "YWJj\n"]),
            ("date", &["2024-02-29"], &["2023-02-29", "2024-2-9", "2024-02-29T"]),
            ("duration", &["1h30m", "3 days", "5 ms", "-1.5h", "0", "1 WK"], &["", "abc", "1", "1 parsec"]),
            (
                "date-time",
                &["2014-12-15T19:30:20.000Z", "2014-12-15t19:30:20+01:00"],
                &["2014-12-15T24:30:20Z", "2014-12-15 19:30:20Z"],
            ),
            ("k8s-short-name", &["a-1"], &["A", "a.b", "-a"]),
            ("k8s-long-name", &["a.b-c"], &["a..b", "A"]),
        ] {
            let format = Format::of(format, Some(Type::String), false).expect("known");
            for value in good {
                assert_eq!(format.fits(value), Some(true), "{} {value:?}", format.name);
            }
            for value in bad {
                assert_eq!(format.fits(value), Some(false), "{} {value:?}", format.name);
            }
        }
    }
}
