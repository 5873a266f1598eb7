//! Free ports of the loopback interface. Must not know who listens there.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, TcpListener},
};

use rand::{TryRng, rngs::SysRng};

/// Below the range from which systems take the ports of outgoing connections (32768 and up on Linux): a port found free
/// here is not lost to a connection of another server before its owner listens on it.
const CANDIDATES: std::ops::Range<u16> = 20_000..32_000;

/// A port of 127.0.0.1 between 20000 and 31999 that nobody listens on and that is not among `taken`.
pub(crate) fn free_port(taken: &BTreeSet<u16>) -> Option<u16> {
    let width = CANDIDATES.end - CANDIDATES.start;
    // Who looks at the same time looks in different places.
    let start = SysRng.try_next_u32().map_or(0, |random| random % u32::from(width));
    (0..u32::from(width))
        .filter_map(|step| u16::try_from((start + step) % u32::from(width)).ok())
        .map(|offset| CANDIDATES.start + offset)
        .find(|port| !taken.contains(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_no_candidate_for_connections_and_not_taken() {
        let all_but_one: BTreeSet<u16> = CANDIDATES.filter(|port| *port != 31_999).collect();
        assert!(free_port(&BTreeSet::new()).is_some_and(|port| CANDIDATES.contains(&port)));
        assert!(free_port(&all_but_one).is_none_or(|port| port == 31_999));
    }
}
