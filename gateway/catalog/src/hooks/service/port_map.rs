//! The map of node ports in use, as the store keeps it: upstream's RangeAllocation, a bit for each port of the range.
//! Follows `pkg/registry/core/service/{portallocator,allocator}`. Does not read or write it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Value;
use model::json::json;
use rand::Rng;

/// `--service-node-port-range` where nothing is set.
const DEFAULT_RANGE: &str = "30000-32767";

/// The ports of a range and which of them are in use.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PortMap {
    first: u16,
    last: u16,
    used: Vec<bool>,
    object: Value,
}

/// Why a port cannot be had, in upstream's words.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Error {
    #[error("provided port is not in the valid range. The range of valid ports is {0}-{1}")]
    NotInRange(u16, u16),
    #[error("provided port is already allocated")]
    Allocated,
    #[error("range is full")]
    Full,
}

impl PortMap {
    /// Reads a record; an absent one is an empty map of the default range.
    pub(super) fn parse(record: Option<&Value>) -> Self {
        let text = |field: &str| record.and_then(|record| record.get(field)?.as_str()).unwrap_or("");
        let range = Some(text("range")).filter(|range| !range.is_empty()).unwrap_or(DEFAULT_RANGE);
        let bound = |text: &str| text.trim().parse::<u16>().ok();
        let (first, last) = range
            .split_once('-')
            .and_then(|(first, last)| bound(first).zip(bound(last)))
            .filter(|(f, l)| f <= l)
            .unwrap_or((30_000, 32_767));
        let mut used = vec![false; usize::from(last - first) + 1];
        // A big-endian number without leading zeros: the last byte holds the first eight ports.
        let bytes = STANDARD.decode(text("data")).unwrap_or_default();
        for (i, used) in used.iter_mut().enumerate() {
            *used = bytes.len().checked_sub(i / 8 + 1).and_then(|at| bytes.get(at)).is_some_and(|byte| byte >> (i % 8) & 1 == 1);
        }
        let empty = json!({"kind": "RangeAllocation", "apiVersion": "v1", "metadata": {}, "range": format!("{first}-{last}"), "data": ""});
        Self { first, last, used, object: record.cloned().unwrap_or(empty) }
    }

    /// The record.
    pub(super) fn to_record(&self) -> Value {
        let mut bytes = vec![0_u8; self.used.len().div_ceil(8)];
        let len = bytes.len();
        for (i, _) in self.used.iter().enumerate().filter(|(_, used)| **used) {
            bytes[len - 1 - i / 8] |= 1 << (i % 8);
        }
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(len);
        let mut record = self.object.clone();
        record["data"] = STANDARD.encode(&bytes[first..]).into();
        record
    }

    /// The ports in use, in order.
    pub(super) fn in_use(&self) -> Vec<i64> {
        (i64::from(self.first)..).zip(&self.used).filter(|(_, used)| **used).map(|(port, _)| port).collect()
    }

    fn place(&self, port: i64) -> Result<usize, Error> {
        let inside = u16::try_from(port).ok().filter(|port| (self.first..=self.last).contains(port));
        inside.map(|port| usize::from(port - self.first)).ok_or(Error::NotInRange(self.first, self.last))
    }

    /// Takes a certain port.
    pub(super) fn take(&mut self, port: i64) -> Result<(), Error> {
        let place = self.place(port)?;
        if std::mem::replace(&mut self.used[place], true) { Err(Error::Allocated) } else { Ok(()) }
    }

    /// Takes a certain port where nothing is kept: only that somebody has it is looked at, as upstream does in a dry run.
    pub(super) fn pretend(&mut self, port: i64) -> Result<(), Error> {
        match self.take(port) {
            Err(Error::NotInRange(..)) => Ok(()),
            taken => taken,
        }
    }

    /// Takes any port, from the upper part of the range while that has one: the lower is left to those who name a port.
    pub(super) fn take_any(&mut self) -> Result<i64, Error> {
        let size = self.used.len();
        let reserved = if size < 16 { 0 } else { (size / 32).clamp(16, 128) };
        let start = |from: usize, to: usize| if from < to { rand::rng().random_range(from..to) } else { from };
        let (high, low) = (start(reserved, size), start(0, reserved));
        let order = (high..size).chain(reserved..high).chain(low..reserved).chain(0..low);
        let free = order.into_iter().find(|place| !self.used[*place]).ok_or(Error::Full)?;
        self.used[free] = true;
        Ok(i64::from(self.first) + i64::try_from(free).unwrap_or(0))
    }

    /// Gives a port back; one outside the range was never taken from it.
    pub(super) fn give_back(&mut self, port: i64) {
        if let Ok(place) = self.place(port) {
            self.used[place] = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_survives_its_record() {
        let mut map = PortMap::parse(None);
        map.take(30_000).unwrap();
        map.take(30_009).unwrap();
        let record = map.to_record();
        assert_eq!(record["range"], "30000-32767");
        // Go: new(big.Int) with bits 0 and 9 set is 0x0201.
        assert_eq!(STANDARD.decode(record["data"].as_str().unwrap()).unwrap(), [0x02, 0x01]);
        let mut again = PortMap::parse(Some(&record));
        assert_eq!(again.take(30_009), Err(Error::Allocated));
        again.give_back(30_009);
        assert_eq!(again.take(30_009), Ok(()));
    }

    #[test]
    fn ports_outside_are_refused() {
        let error = PortMap::parse(None).take(80).unwrap_err();
        assert_eq!(error.to_string(), "provided port is not in the valid range. The range of valid ports is 30000-32767");
    }

    #[test]
    fn all_ports_are_given_before_the_range_is_full() {
        let mut map = PortMap::parse(Some(&json!({"range": "100-131"})));
        let mut given: Vec<i64> = (0..32).map(|_| map.take_any().unwrap()).collect();
        assert!(given[..16].iter().all(|port| *port >= 116));
        given.sort_unstable();
        assert_eq!(given, (100..132).collect::<Vec<i64>>());
        assert_eq!(map.take_any(), Err(Error::Full));
    }
}
