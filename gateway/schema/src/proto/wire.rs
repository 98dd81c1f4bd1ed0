//! The wire format: tags, varints, lengths, what is skipped; errors in the words of gogo-protobuf's generated readers.
//! Knows no type.

/// How many groups may nest in what is skipped; nothing in Kubernetes writes any.
const GROUPS_MAX: usize = 120;

/// How a field's value is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// A number in base 128.
    Varint = 0,
    /// Eight bytes.
    Fixed64 = 1,
    /// A length, then as many bytes.
    Bytes = 2,
}

/// The number and layout of a field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag {
    pub(super) number: u32,
    wire: u8,
}

impl Tag {
    /// Whether the value is laid out so.
    pub(super) fn is(self, wire: Wire) -> bool {
        self.wire == wire as u8
    }

    /// Fails when the value is laid out otherwise; `field` is Go's name.
    pub(super) fn expect(self, wire: Wire, field: &str) -> Result<(), String> {
        if self.is(wire) { Ok(()) } else { Err(format!("proto: wrong wireType = {} for field {field}", self.wire)) }
    }
}

/// Reads the fields of one message.
pub(super) struct Reader<'a> {
    message: &'a str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// `message` is Go's name of the struct, for errors.
    pub(super) fn new(message: &'a str, bytes: &'a [u8]) -> Self {
        Self { message, rest: bytes }
    }

    /// The next field's tag; `None` at the end.
    pub(super) fn tag(&mut self) -> Result<Option<Tag>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let whole = self.varint()?;
        let (number, wire) = ((whole >> 3) as i32, (whole & 7) as u8);
        if wire == 4 {
            return Err(format!("proto: {}: wiretype end group for non-group", self.message));
        }
        if number <= 0 {
            return Err(format!("proto: {}: illegal tag {number} (wire type {whole})", self.message));
        }
        Ok(Some(Tag { number: number.unsigned_abs(), wire }))
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A number in base 128; bits beyond the 64th are lost, as in Go.
    pub(super) fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.rest.split_first().ok_or_else(truncated)?;
            self.rest = rest;
            value |= u64::from(first & 0x7f) << shift;
            if *first < 0x80 {
                return Ok(value);
            }
        }
        Err("proto: integer overflow".to_owned())
    }

    /// A length and what it spans.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], String> {
        let length = self.varint()?;
        if i64::try_from(length).is_err() {
            return Err("proto: negative length found during unmarshaling".to_owned());
        }
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// A double.
    pub(super) fn double(&mut self) -> Result<f64, String> {
        let bytes = self.take(8)?;
        Ok(f64::from_le_bytes(std::array::from_fn(|at| bytes[at])))
    }

    /// Passes over the value of a field that is not known.
    pub(super) fn skip(&mut self, tag: Tag) -> Result<(), String> {
        let mut wire = tag.wire;
        let mut groups = 0;
        loop {
            match wire {
                0 => drop(self.varint()?),
                1 => drop(self.take(8)?),
                2 => drop(self.bytes()?),
                3 => groups += 1,
                4 => groups -= 1,
                5 => drop(self.take(4)?),
                other => return Err(format!("proto: illegal wireType {other}")),
            }
            match groups {
                0 => return Ok(()),
                GROUPS_MAX.. => return Err("exceeded max depth".to_owned()),
                _ => wire = (self.varint()? & 7) as u8,
            }
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn truncated() -> String {
    "unexpected EOF".to_owned()
}

/// One field of a message of few fields.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Part<'a> {
    /// It was not there.
    #[default]
    Absent,
    /// A number.
    Number(u64),
    /// Text, bytes or a message.
    Bytes(&'a [u8]),
}

impl<'a> Part<'a> {
    /// The number, 0 when absent.
    pub(super) fn number(self) -> u64 {
        if let Self::Number(number) = self { number } else { 0 }
    }

    /// The bytes, none when absent.
    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// The text, empty when absent; broken UTF-8 is replaced, as Go does once the text becomes JSON.
    pub(super) fn text(self) -> String {
        self.bytes().map_or_else(String::new, |bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// Reads a message whose fields are numbered from 1 as `fields` lists them, by layout and Go's name; of several
/// occurrences the last counts.
pub(super) fn parts<'a, const N: usize>(
    message: &'a str,
    bytes: &'a [u8],
    fields: [(Wire, &str); N],
) -> Result<[Part<'a>; N], String> {
    let mut found = [Part::Absent; N];
    let mut reader = Reader::new(message, bytes);
    while let Some(tag) = reader.tag()? {
        let at = tag.number as usize - 1;
        let Some((wire, name)) = fields.get(at) else {
            reader.skip(tag)?;
            continue;
        };
        tag.expect(*wire, name)?;
        found[at] = if *wire == Wire::Varint { Part::Number(reader.varint()?) } else { Part::Bytes(reader.bytes()?) };
    }
    Ok(found)
}
