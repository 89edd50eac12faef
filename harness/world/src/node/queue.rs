use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use halfopen_client::driver::{Commands, Order};
use halfopen_protocol::Few;

/// Makes a queue between two parts of a world. It holds no room for what is not in it: a world may have a million of
/// them.
pub(crate) fn queue<T>() -> (QueueSender<T>, QueueReceiver<T>) {
    let shared = Rc::new(RefCell::new(Shared { items: Few::new(), receiver: None, is_received: true, senders: 1 }));
    (QueueSender(Rc::clone(&shared)), QueueReceiver(shared))
}

struct Shared<T> {
    items: Few<T>,
    /// The waker of the receiver that waits for an item.
    receiver: Option<Waker>,
    /// True if there is still somebody to receive.
    is_received: bool,
    senders: usize,
}

/// Puts items into a queue.
pub(crate) struct QueueSender<T>(Rc<RefCell<Shared<T>>>);

/// Takes items out of a queue.
pub(crate) struct QueueReceiver<T>(Rc<RefCell<Shared<T>>>);

impl<T: 'static> QueueSender<T> {
    /// Adds an item; false if nobody will ever receive it.
    pub(crate) fn send(&self, item: T) -> bool {
        let waker = {
            let mut shared = self.0.borrow_mut();
            if !shared.is_received {
                return false;
            }
            shared.items.push_back(item);
            shared.receiver.take()
        };
        waker.into_iter().for_each(Waker::wake);
        true
    }
}

impl<T> QueueReceiver<T> {
    /// Returns the next item; `None` if there will never be one.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// See [`recv`](Self::recv).
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut shared = self.0.borrow_mut();
        match shared.items.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None if shared.senders == 0 => Poll::Ready(None),
            None => {
                match &mut shared.receiver {
                    Some(known) => known.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }
}

impl<O: Order> Commands for QueueReceiver<O> {
    type Order = O;

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<O>> {
        self.poll_recv(cx)
    }
}

impl<T> Clone for QueueSender<T> {
    fn clone(&self) -> Self {
        self.0.borrow_mut().senders += 1;
        Self(Rc::clone(&self.0))
    }
}

impl<T> Drop for QueueSender<T> {
    fn drop(&mut self) {
        let waker = {
            let mut shared = self.0.borrow_mut();
            shared.senders -= 1;
            if shared.senders == 0 { shared.receiver.take() } else { None }
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T> Drop for QueueReceiver<T> {
    fn drop(&mut self) {
        let items = {
            let mut shared = self.0.borrow_mut();
            shared.is_received = false;
            std::mem::take(&mut shared.items)
        };
        // What is dropped may send to this queue itself.
        drop(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll<T>(receiver: &mut QueueReceiver<T>) -> Poll<Option<T>> {
        receiver.poll_recv(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn items_come_in_their_order_and_then_the_end() {
        let (sender, mut receiver) = queue();
        assert_eq!(poll(&mut receiver), Poll::Pending);
        let other = sender.clone();
        assert!(sender.send(1) && other.send(2));
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(1)));
        drop((sender, other));
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(2)));
        assert_eq!(poll(&mut receiver), Poll::Ready(None));
    }

    #[test]
    fn nothing_is_sent_to_nobody() {
        let (sender, receiver) = queue();
        drop(receiver);
        assert!(!sender.send(1));
    }
}
