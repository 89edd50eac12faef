//! The breaches, one row each: its name, what it does, how, and the statements of 3.1.1 and of 5.0 that it breaks.

/// Gives access to a packet that may be shared: the larger ones are.
macro_rules! own {
    (Publish $packet:expr) => {
        std::sync::Arc::make_mut($packet)
    };
    (Connect $packet:expr) => {
        std::sync::Arc::make_mut($packet)
    };
    (ConnAck $packet:expr) => {
        std::sync::Arc::make_mut($packet)
    };
    ($other:ident $packet:expr) => {
        $packet
    };
}

/// Changes packets of one type.
macro_rules! change {
    ($packet_type:ident($packet:ident) => $change:expr) => {
        Edit::Change(|packet| {
            if let Packet::$packet_type($packet) = packet {
                let $packet = own!($packet_type $packet);
                $change;
            }
        })
    };
}

/// Takes packets of one type that arrive for others.
macro_rules! mistake {
    ($packet_type:ident($packet:ident) => $change:expr) => {
        Edit::Mistake(|packet| {
            if let Packet::$packet_type($packet) = packet {
                let $packet = own!($packet_type $packet);
                $change;
            }
        })
    };
}

/// Replaces the first byte of a text in packets of one type.
macro_rules! spoil {
    ($packet_type:ident($packet:ident) => $text:expr, $byte:expr) => {
        Edit::Spoil(
            |packet| match packet {
                Packet::$packet_type($packet) => $text,
                _ => None,
            },
            $byte,
        )
    };
}

mod connect;
mod connection;
mod exchange;
mod publish;
mod subscribe;

use std::sync::LazyLock;

use halfopen_protocol::Role;

use super::Row;
use super::edit::Edit;

/// The breaches, in the order of the packets that show them.
pub(super) static ROWS: LazyLock<Vec<&'static Row>> = LazyLock::new(|| {
    [connect::ROWS, publish::ROWS, exchange::ROWS, subscribe::ROWS, connection::ROWS].into_iter().flatten().collect()
});

/// Ids of statements.
type Ids = &'static [&'static str];

const fn client(name: &'static str, about: &'static str, edit: Edit, of_3_1_1: Ids, of_5_0: Ids) -> Row {
    Row { sides: &[Role::Client], name, about, edit, statements: [of_3_1_1, of_5_0] }
}

const fn server(name: &'static str, about: &'static str, edit: Edit, of_3_1_1: Ids, of_5_0: Ids) -> Row {
    Row { sides: &[Role::Server], name, about, edit, statements: [of_3_1_1, of_5_0] }
}

const fn both(name: &'static str, about: &'static str, edit: Edit, of_3_1_1: Ids, of_5_0: Ids) -> Row {
    Row { sides: &[Role::Client, Role::Server], name, about, edit, statements: [of_3_1_1, of_5_0] }
}
