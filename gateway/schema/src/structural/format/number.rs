//! Formats of numbers and codes in texts: ids, colors, cards, books, base64.
//! Each says what upstream's regular expression and checksum say.

/// `IsBSONObjectID`: twelve bytes in hexadecimal.
pub(super) fn is_object_id(value: &str) -> bool {
    value.len() == 24 && hex(value)
}

fn hex(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_hexdigit())
}

fn digits(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_digit())
}

/// The hexadecimal digits of a UUID, whose dashes may be left out each on its own.
fn uuid_digits(value: &str) -> Option<[u8; 32]> {
    let mut rest = value.as_bytes();
    let mut all = [0; 32];
    let mut at = 0;
    for group in [8, 4, 4, 4, 12] {
        if at > 0 && rest.first() == Some(&b'-') {
            rest = &rest[1..];
        }
        let (part, after) = rest.split_at_checked(group)?;
        all[at..at + group].copy_from_slice(part);
        (rest, at) = (after, at + group);
    }
    (rest.is_empty() && all.iter().all(u8::is_ascii_hexdigit)).then(|| all.map(|b| b.to_ascii_lowercase()))
}

/// `IsUUID`.
pub(super) fn is_uuid(value: &str) -> bool {
    uuid_digits(value).is_some()
}

/// `IsUUID3`.
pub(super) fn is_uuid3(value: &str) -> bool {
    uuid_digits(value).is_some_and(|digits| digits[12] == b'3')
}

/// `IsUUID4`.
pub(super) fn is_uuid4(value: &str) -> bool {
    uuid_digits(value).is_some_and(|digits| digits[12] == b'4' && b"89ab".contains(&digits[16]))
}

/// `IsUUID5`.
pub(super) fn is_uuid5(value: &str) -> bool {
    uuid_digits(value).is_some_and(|digits| digits[12] == b'5' && b"89ab".contains(&digits[16]))
}

/// `IsISBN10` or `IsISBN13`.
pub(super) fn is_isbn(value: &str) -> bool {
    is_isbn10(value) || is_isbn13(value)
}

fn isbn_digits(value: &str) -> String {
    value.chars().filter(|c| !matches!(c, '\t' | '\n' | '\x0c' | '\r' | ' ' | '-')).collect()
}

/// `IsISBN10`.
pub(super) fn is_isbn10(value: &str) -> bool {
    let value = isbn_digits(value);
    let Some((head, check)) = value.split_at_checked(9) else { return false };
    let check = match check {
        "X" => 10,
        check if check.len() == 1 && digits(check) => u32::from(check.as_bytes()[0] - b'0'),
        _ => return false,
    };
    let sum: u32 = (1..).zip(head.bytes()).map(|(weight, b)| weight * u32::from(b.wrapping_sub(b'0'))).sum();
    digits(head) && (sum + 10 * check).is_multiple_of(11)
}

/// `IsISBN13`.
pub(super) fn is_isbn13(value: &str) -> bool {
    let value = isbn_digits(value);
    if value.len() != 13 || !digits(&value) {
        return false;
    }
    let sum: u32 = value.bytes().zip([1, 3].into_iter().cycle()).map(|(b, weight)| weight * u32::from(b - b'0')).sum();
    sum.is_multiple_of(10)
}

/// `IsCreditCard`: the numbers of the known issuers with a right checksum, anything else between the digits.
pub(super) fn is_credit_card(value: &str) -> bool {
    let number: Vec<u8> = value.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
    let starts = |prefix: &[u8]| number.starts_with(prefix);
    let issued = match number.len() {
        13 => starts(&[4]),
        14 => starts(&[3, 6]) || starts(&[3, 8]) || (starts(&[3, 0]) && number[2] <= 5),
        15 => starts(&[3, 4]) || starts(&[3, 7]) || starts(&[2, 1, 3, 1]) || starts(&[1, 8, 0, 0]),
        16 => {
            starts(&[4])
                || (number[0] == 5 && (1..=5).contains(&number[1]))
                || starts(&[6, 0, 1, 1])
                || starts(&[6, 5])
                || starts(&[3, 5])
        }
        _ => false,
    };
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &digit)| match (i % 2, u32::from(digit) * 2) {
            (0, _) => u32::from(digit),
            (_, doubled) if doubled >= 10 => doubled - 9,
            (_, doubled) => doubled,
        })
        .sum();
    issued && sum.is_multiple_of(10)
}

/// `IsSSN`.
pub(super) fn is_ssn(value: &str) -> bool {
    let separator = |b: u8| b == b'-' || b == b' ';
    let bytes = value.as_bytes();
    bytes.len() == 11 && bytes.iter().enumerate().all(|(i, &b)| if i == 3 || i == 6 { separator(b) } else { b.is_ascii_digit() })
}

/// `IsHexcolor`.
pub(super) fn is_hex_color(value: &str) -> bool {
    let value = value.strip_prefix('#').unwrap_or(value);
    matches!(value.len(), 3 | 6) && hex(value)
}

/// `IsRGBcolor`.
pub(super) fn is_rgb_color(value: &str) -> bool {
    let Some(inner) = value.strip_prefix("rgb(").and_then(|v| v.strip_suffix(')')) else { return false };
    let parts: Vec<&str> = inner.split(',').map(|p| p.trim_matches(['\t', '\n', '\x0c', '\r', ' '])).collect();
    let fits = |part: &&str| digits(part) && (*part == "0" || !part.starts_with('0')) && part.parse::<u8>().is_ok();
    parts.len() == 3 && parts.iter().all(fits)
}

/// `IsBase64`: the standard alphabet with its padding, not empty.
pub(super) fn is_base64(value: &str) -> bool {
    let data = value.trim_end_matches('=');
    let padding = value.len() - data.len();
    !value.is_empty()
        && value.len().is_multiple_of(4)
        && padding <= 2
        && data.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}
