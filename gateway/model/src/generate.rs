//! Names and uids made by the server, for `generateName` and for what it adds to objects.
//! Follows `k8s.io/apiserver/pkg/storage/names`. Does not check that a name is free.

use rand::Rng;

/// Characters of a suffix: no vowels, so that no words arise, and none that look alike.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LEN: usize = 5;
/// Longest name a generated one may have; the base is cut to fit.
const NAME_LEN_MAX: usize = 63;

/// `base` with a random suffix of five characters; the base is cut so that 63 bytes suffice.
pub fn name(base: &str) -> String {
    let mut end = base.len().min(NAME_LEN_MAX - SUFFIX_LEN);
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{}", &base[..end], suffix())
}

/// A uid that nobody has.
pub fn uid() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn suffix() -> String {
    let mut rng = rand::rng();
    (0..SUFFIX_LEN).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_name_fits() {
        let made = name("web-");
        assert!(made.starts_with("web-") && made.len() == 9, "{made}");
        assert_eq!(name(&"a".repeat(80)).len(), 63);
        assert!(name(&"ä".repeat(40)).len() <= 63);
        assert_ne!(name("x"), name("x"));
    }
}
