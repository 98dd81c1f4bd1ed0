//! Messages on a socket: a length in four bytes, then the message. Knows no message.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Broken;

/// What a process may say at once: an answer is bounded, and so are its log lines.
pub(super) const FROM_CHILD_BYTES_MAX: usize = 8 << 20;
/// What it may be told at once: the code of a module, which for the largest languages is some 100 MiB.
pub(super) const TO_CHILD_BYTES_MAX: usize = 1 << 30;

pub(super) fn pack<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    bytes = postcard::to_extend(message, bytes).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(io::Error::other)
}

/// Writes what was packed, within the time that `left` tells before each step.
pub(super) fn write(
    mut socket: &UnixStream,
    mut bytes: &[u8],
    left: impl Fn() -> Result<Duration, Broken>,
) -> Result<(), Broken> {
    while !bytes.is_empty() {
        socket.set_write_timeout(Some(left()?)).map_err(Broken::Process)?;
        match socket.write(bytes) {
            Ok(0) => return Err(Broken::Process(ErrorKind::BrokenPipe.into())),
            Ok(written) => bytes = &bytes[written..],
            Err(error) => interrupted(error)?,
        }
    }
    Ok(())
}

/// Reads one message, likewise.
pub(super) fn read(socket: &UnixStream, left: impl Fn() -> Result<Duration, Broken>) -> Result<Vec<u8>, Broken> {
    let mut length = [0; 4];
    fill(socket, &mut length, &left)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > FROM_CHILD_BYTES_MAX {
        return Err(Broken::Process(io::Error::other(format!("it says {length} bytes at once"))));
    }
    let mut bytes = vec![0; length];
    fill(socket, &mut bytes, &left)?;
    Ok(bytes)
}

fn fill(mut socket: &UnixStream, mut bytes: &mut [u8], left: &impl Fn() -> Result<Duration, Broken>) -> Result<(), Broken> {
    while !bytes.is_empty() {
        socket.set_read_timeout(Some(left()?)).map_err(Broken::Process)?;
        match socket.read(bytes) {
            Ok(0) => return Err(Broken::Process(ErrorKind::UnexpectedEof.into())),
            Ok(read) => bytes = &mut bytes[read..],
            Err(error) => interrupted(error)?,
        }
    }
    Ok(())
}

/// What is only time that passed is looked at again; then there may be none left.
fn interrupted(error: io::Error) -> Result<(), Broken> {
    match error.kind() {
        ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(()),
        // A process that ended with something unread.
        ErrorKind::ConnectionReset => Err(Broken::Process(ErrorKind::UnexpectedEof.into())),
        _ => Err(Broken::Process(error)),
    }
}
