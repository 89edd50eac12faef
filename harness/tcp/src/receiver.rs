use std::collections::VecDeque;

use crate::BUFFER_CAPACITY;
use crate::segment::Payload;

/// The bytes that one end of a connection has received and its program has not read.
///
/// A read takes all that the window counts out of the receive buffer at once, so that the window opens by as much as
/// has arrived, and serves the reads after it from what it took.
#[derive(Default)]
pub(crate) struct Receiver {
    /// Mostly there is nothing, and then it takes the room of a pointer: there may be a million connections.
    unread: Option<Box<Unread>>,
    /// The sequence number that is expected next.
    pub(crate) next: u64,
    has_fin: bool,
}

/// Bytes that the program has not read; never empty.
#[derive(Default)]
struct Unread {
    /// The oldest bytes. Most of the time there are no others.
    first: Payload,
    /// Number of them that the program has read.
    read: usize,
    rest: VecDeque<Payload>,
    /// Number of bytes that the window counts: those after `taken`.
    buffered: usize,
    /// Number of bytes that a read has taken out of the receive buffer and the program has not read.
    taken: usize,
}

impl Receiver {
    /// Stores the bytes if they are the next of the stream, as far as there is room, and returns whether it stored any.
    pub(crate) fn store(&mut self, sequence: u64, mut payload: Payload) -> bool {
        if payload.is_empty() || sequence != self.next || self.has_fin {
            return false;
        }
        payload.truncate(BUFFER_CAPACITY - self.buffered());
        if payload.is_empty() {
            return false;
        }
        self.next += payload.len() as u64;
        let unread = self.unread.get_or_insert_default();
        unread.buffered += payload.len();
        if unread.first.is_empty() {
            unread.first = payload;
        } else {
            unread.rest.push_back(payload);
        }
        true
    }

    /// Registers FIN if it is what comes next in the stream, and returns whether it is.
    pub(crate) fn store_fin(&mut self, sequence: u64) -> bool {
        if self.has_fin || sequence != self.next {
            return false;
        }
        self.has_fin = true;
        self.next += 1;
        true
    }

    /// Returns the window to advertise, in bytes.
    pub(crate) fn window(&self) -> u16 {
        u16::try_from(BUFFER_CAPACITY - self.buffered()).unwrap_or(u16::MAX)
    }

    /// Reads into `buffer`. Returns how many bytes were read, and whether the window opened so far that the other end
    /// is to be told.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> (usize, bool) {
        let Some(unread) = &mut self.unread else { return (0, false) };
        let (count, opened) = unread.read(buffer);
        if unread.first.is_empty() {
            self.unread = None;
        }
        (count, opened >= BUFFER_CAPACITY / 2)
    }

    /// Returns how many bytes the program has not read.
    pub(crate) fn unread(&self) -> usize {
        self.unread.as_ref().map_or(0, |unread| unread.taken + unread.buffered)
    }

    /// Returns whether a read would return the end of the stream.
    pub(crate) fn is_at_end(&self) -> bool {
        self.has_fin && self.unread() == 0
    }

    /// Returns whether FIN has come.
    pub(crate) fn has_fin(&self) -> bool {
        self.has_fin
    }

    /// Drops what has arrived, because no program will read it.
    pub(crate) fn clear(&mut self) {
        self.unread = None;
    }

    /// Returns how many bytes the window counts.
    fn buffered(&self) -> usize {
        self.unread.as_ref().map_or(0, |unread| unread.buffered)
    }
}

impl Unread {
    /// Reads into `buffer`. Returns how many bytes were read, and by how many the window opened.
    fn read(&mut self, buffer: &mut [u8]) -> (usize, usize) {
        let mut opened = 0;
        if self.taken == 0 {
            opened = std::mem::take(&mut self.buffered);
            self.taken = opened;
        }
        let mut count = 0;
        while count < buffer.len() && self.taken > 0 {
            let left = &self.first[self.read..];
            let part = left.len().min(buffer.len() - count).min(self.taken);
            buffer[count..count + part].copy_from_slice(&left[..part]);
            self.read += part;
            self.taken -= part;
            count += part;
            if self.read == self.first.len() {
                self.read = 0;
                self.first = self.rest.pop_front().unwrap_or_default();
            }
        }
        (count, opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(parts: &[&'static str]) -> Receiver {
        let mut receiver = Receiver { next: 1, ..Receiver::default() };
        for part in parts {
            assert!(receiver.store(receiver.next, Payload::from_slice(part.as_bytes())));
        }
        receiver
    }

    fn read(receiver: &mut Receiver, size: usize) -> String {
        let mut buffer = vec![0; size];
        let (count, _) = receiver.read(&mut buffer);
        String::from_utf8(buffer[..count].to_vec()).expect("letters")
    }

    #[test]
    fn bytes_are_read_in_order_however_they_came() {
        let mut receiver = received(&["ab", "c", "def"]);
        assert_eq!(read(&mut receiver, 1), "a");
        assert_eq!(receiver.unread(), 5);
        assert!(receiver.store(7, Payload::from_slice(b"g")));
        assert_eq!(read(&mut receiver, 9), "bcdef", "what has come since waits for the next read");
        assert_eq!(read(&mut receiver, 9), "g");
        assert_eq!(read(&mut receiver, 9), "");
    }

    #[test]
    fn only_what_comes_next_is_stored() {
        let mut receiver = received(&["ab"]);
        assert!(!receiver.store(1, Payload::from_slice(b"ab")));
        assert!(!receiver.store(4, Payload::from_slice(b"d")));
        assert!(!receiver.store_fin(2));
        assert!(receiver.store_fin(3) && !receiver.store_fin(3) && !receiver.store_fin(4));
        assert!(!receiver.store(4, Payload::from_slice(b"d")), "nothing follows FIN");
        assert!(!receiver.is_at_end());
        assert_eq!(read(&mut receiver, 9), "ab");
        assert!(receiver.is_at_end());
    }

    #[test]
    fn window_shrinks_with_what_comes_and_opens_with_the_read_that_takes_it() {
        let mut receiver = received(&[]);
        assert_eq!(receiver.window(), 65_535);
        for _ in 0..2 {
            assert!(receiver.store(receiver.next, vec![0; 40_000].into()));
        }
        assert_eq!((receiver.window(), receiver.unread()), (0, BUFFER_CAPACITY), "what is too much is not taken");
        assert_eq!(receiver.read(&mut [0; 10]), (10, true));
        assert_eq!(receiver.window(), 65_535);
        assert_eq!(receiver.read(&mut [0; 10]), (10, false));
        let mut receiver = received(&["ab"]);
        assert_eq!(receiver.read(&mut [0; 10]), (2, false), "it is not worth telling");
    }
}
