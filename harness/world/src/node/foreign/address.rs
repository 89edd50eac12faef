//! The addresses that programs see: those of the nodes of their world, from 10.0.0.1 on.

use std::net::{IpAddr, Ipv4Addr};

use crate::plan::NodeId;

const FIRST: u32 = u32::from_be_bytes([10, 0, 0, 1]);

/// Returns the address of a node.
pub(super) fn of(node: NodeId) -> Ipv4Addr {
    Ipv4Addr::from(FIRST.saturating_add(u32::try_from(node.0).unwrap_or(u32::MAX)))
}

/// Returns the node that has an address, if one may have it.
pub(super) fn node(address: IpAddr) -> Option<NodeId> {
    let address = match address.to_canonical() {
        IpAddr::V4(address) => u32::from(address),
        IpAddr::V6(_) => return None,
    };
    Some(NodeId(usize::try_from(address.checked_sub(FIRST)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_names_its_node() {
        for number in [0, 1, 255, 70_000] {
            assert_eq!(node(of(NodeId(number)).into()), Some(NodeId(number)));
        }
        assert_eq!(node("::ffff:10.0.0.2".parse().unwrap()), Some(NodeId(1)));
        assert_eq!(node("9.255.255.255".parse().unwrap()), None);
        assert_eq!(node("::1".parse().unwrap()), None);
    }
}
