//! Frames of RFC 6455: written whole and unmasked, read as far as a server that ignores messages must.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The code of a close without a fault.
pub(super) const NORMAL: u16 = 1000;
/// The code of a close because the other side broke the rules.
pub(super) const PROTOCOL_ERROR: u16 = 1002;
/// The most that a control frame may carry.
const CONTROL_BYTES_MAX: u64 = 125;

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const CODE: u8 = 0x0f;
const RESERVED: u8 = 0x70;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Text = 1,
    Binary = 2,
    Close = 8,
    Pong = 10,
}

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// It wants to know whether we are there.
    Ping(Bytes),
    /// It goes.
    Close,
    /// It broke the rules.
    Broken,
    /// Something that a watch has no use for.
    Other,
}

/// What stands before a payload of this length: the frame is whole, and servers mask nothing.
pub(super) fn head(opcode: Opcode, length: usize) -> Vec<u8> {
    let mut head = vec![FINAL | opcode as u8];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => head.push(short),
        (_, Ok(medium)) => {
            head.push(126);
            head.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            head.push(127);
            head.extend_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    head
}

/// Reads one frame. Of messages nothing is kept.
pub(super) async fn receive(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Received> {
    let [first, second] = array(reader).await?;
    let length = match second & LENGTH {
        126 => u64::from(u16::from_be_bytes(array(reader).await?)),
        127 => u64::from_be_bytes(array(reader).await?),
        short => u64::from(short),
    };
    let is_control = first & 0x08 != 0;
    if second & MASKED == 0 || first & RESERVED != 0 || is_control && (length > CONTROL_BYTES_MAX || first & FINAL == 0) {
        return Ok(Received::Broken);
    }
    let mask: [u8; 4] = array(reader).await?;
    if !is_control {
        tokio::io::copy(&mut reader.take(length), &mut tokio::io::sink()).await?;
        return Ok(Received::Other);
    }
    let mut payload = Vec::new();
    reader.take(length).read_to_end(&mut payload).await?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok(match first & CODE {
        8 => Received::Close,
        9 => Received::Ping(payload.into()),
        10 => Received::Other,
        _ => Received::Broken,
    })
}

async fn array<const N: usize>(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> io::Result<Received> {
        receive(&mut bytes).await
    }

    #[test]
    fn lengths_are_as_short_as_they_can_be() {
        assert_eq!(head(Opcode::Text, 5), [0x81, 5]);
        assert_eq!(head(Opcode::Binary, 126), [0x82, 126, 0, 126]);
        assert_eq!(head(Opcode::Text, 65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[tokio::test]
    async fn clients_are_read_by_the_rules() {
        // The mask of 0x01 turns "Hi" into "Ih".
        assert_eq!(read(&[0x89, 0x82, 1, 0, 1, 0, b'I', b'i']).await.unwrap(), Received::Ping(Bytes::from_static(b"Hi")));
        assert_eq!(read(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap(), Received::Close);
        assert_eq!(read(&[0x81, 0x82, 0, 0, 0, 0, b'H', b'i']).await.unwrap(), Received::Other);
        assert_eq!(read(&[0x81, 2, b'H', b'i']).await.unwrap(), Received::Broken, "a client must mask");
        assert_eq!(read(&[0x89, 0xfe, 0, 126, 0, 0, 0, 0]).await.unwrap(), Received::Broken, "a ping must be short");
        assert_eq!(read(&[0x8b, 0x80, 0, 0, 0, 0]).await.unwrap(), Received::Broken, "an unknown control frame");
        assert!(read(&[0x81]).await.is_err());
    }
}
