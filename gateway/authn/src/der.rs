//! The few lines of DER that turn key material from one wrapping into another. Parses nothing.

/// `SEQUENCE { SEQUENCE { algorithm, parameters }, BIT STRING key }`.
pub(crate) fn public_key_info(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let mut bits = vec![0];
    bits.extend_from_slice(key);
    tagged(0x30, &[tagged(0x30, algorithm), tagged(0x03, &bits)].concat())
}

/// A PKCS #8 wrapping of a SEC 1 private key.
pub(crate) fn pkcs8(algorithm: &[u8], sec1: &[u8]) -> Vec<u8> {
    tagged(0x30, &[vec![0x02, 0x01, 0x00], tagged(0x30, algorithm), tagged(0x04, sec1)].concat())
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..0x80 => out.push(short as u8),
        long => {
            let bytes: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | bytes.len() as u8);
            out.extend(bytes);
        }
    }
    out.extend_from_slice(content);
    out
}
