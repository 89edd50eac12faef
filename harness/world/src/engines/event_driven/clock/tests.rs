use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

use rstest::rstest;

use super::*;

const NODE: NodeId = NodeId(0);
const OTHER: NodeId = NodeId(1);

/// Counts how often it is woken.
#[derive(Default)]
struct Alarm(AtomicU32);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Alarm {
    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn poll(sleep: Pin<&mut impl Future<Output = ()>>, alarm: &Arc<Alarm>) -> bool {
    sleep.poll(&mut Context::from_waker(&Waker::from(Arc::clone(alarm)))).is_ready()
}

fn sleep(timers: &Timers, node: NodeId, at: u64) -> Pin<Box<Sleep>> {
    Box::pin(Sleep { timers: timers.clone(), node, deadline: ms(at), timer: None })
}

/// How many wait in all, and of the node.
fn waiting(timers: &Timers) -> (usize, usize) {
    let waiting = timers.0.waiting.borrow();
    (waiting.len(), waiting.len_of(NODE))
}

#[test]
fn who_was_polled_last_is_woken() {
    let timers = Timers::new(1);
    let (first, last) = (Arc::<Alarm>::default(), Arc::<Alarm>::default());
    let mut timer = sleep(&timers, NODE, 10);
    assert!(!poll(timer.as_mut(), &first));
    assert!(!poll(timer.as_mut(), &last));
    timers.set_now(ms(10));
    assert!(timers.fire());
    assert_eq!((first.count(), last.count()), (0, 1));
    assert!(poll(timer.as_mut(), &last));
}

#[test]
fn a_timer_is_over_once_the_world_has_called_it_out_and_not_before() {
    let timers = Timers::new(1);
    let alarm = Arc::<Alarm>::default();
    let mut timer = sleep(&timers, NODE, 10);
    assert!(!poll(timer.as_mut(), &alarm));
    assert_eq!(timers.next(), Some(ms(10)));
    timers.set_now(ms(9));
    assert!(!timers.fire(), "nothing is due");
    timers.set_now(ms(10));
    assert!(!poll(timer.as_mut(), &alarm), "due, and not called out");
    assert!(timers.fire());
    assert!(poll(timer.as_mut(), &alarm));
    assert!(!timers.fire(), "nobody is left");
    assert_eq!(timers.next(), None);
}

#[test]
fn a_deadline_that_has_passed_is_over_at_once() {
    let timers = Timers::new(1);
    timers.set_now(ms(10));
    let alarm = Arc::<Alarm>::default();
    for (at, is_over) in [(9, true), (10, true), (11, false)] {
        assert_eq!(poll(sleep(&timers, NODE, at).as_mut(), &alarm), is_over, "{at}");
    }
}

#[rstest]
fn nothing_is_left_of_a_timer(#[values(true, false)] has_moved: bool, #[values(true, false)] is_called_out: bool) {
    let timers = Timers::new(1);
    let alarm = Arc::<Alarm>::default();
    let mut timer = sleep(&timers, NODE, 10);
    assert!(!poll(timer.as_mut(), &alarm));
    if has_moved {
        timers.jump(NODE, -5);
        assert_eq!(timers.next(), Some(ms(15)));
    }
    assert_eq!(waiting(&timers), (1, 1));
    if is_called_out {
        timers.set_now(ms(15));
        assert!(timers.fire());
        assert!(poll(timer.as_mut(), &alarm));
    }
    drop(timer);
    assert_eq!(waiting(&timers), (0, 0));
    assert_eq!(timers.next(), None);
}

#[rstest]
#[case::ahead(4, 6)]
#[case::back(-4, 14)]
fn a_leap_moves_who_waits_on_that_clock_and_nobody_else(#[case] by: i64, #[case] due: u64) {
    let timers = Timers::new(2);
    let (moved, other) = (Arc::<Alarm>::default(), Arc::<Alarm>::default());
    let (mut mine, mut its) = (sleep(&timers, NODE, 10), sleep(&timers, OTHER, 10));
    assert!(!poll(mine.as_mut(), &moved));
    assert!(!poll(its.as_mut(), &other));
    timers.jump(NODE, by);
    for at in 1..20 {
        timers.set_now(ms(at));
        timers.fire();
        assert_eq!(moved.count() == 1, at >= due, "{at}");
        assert_eq!(other.count() == 1, at >= 10, "{at}");
        assert_eq!(poll(mine.as_mut(), &moved), at >= due, "{at}");
        if at >= due {
            break;
        }
    }
}

#[test]
fn timers_of_one_instant_fire_in_the_order_in_which_they_began() {
    let timers = Timers::new(1);
    let order = Arc::<std::sync::Mutex<Vec<u32>>>::default();
    struct Named(u32, Arc<std::sync::Mutex<Vec<u32>>>);
    impl Wake for Named {
        fn wake(self: Arc<Self>) {
            self.1.lock().expect("not poisoned").push(self.0);
        }
    }
    let mut sleeps = Vec::new();
    for name in 0..5 {
        let mut timer = sleep(&timers, NODE, 10);
        let waker = Waker::from(Arc::new(Named(name, Arc::clone(&order))));
        assert!(timer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        sleeps.push(timer);
    }
    timers.jump(NODE, 3);
    timers.set_now(ms(7));
    assert!(timers.fire());
    assert_eq!(*order.lock().expect("not poisoned"), [0, 1, 2, 3, 4]);
}

#[test]
fn timers_of_who_stands_still_are_never_due() {
    let timers = Timers::new(2);
    let alarm = Arc::<Alarm>::default();
    let mut timer = sleep(&timers, NODE, 10);
    assert!(!poll(timer.as_mut(), &alarm));
    timers.pause(NODE);
    assert_eq!(timers.next(), None);
    timers.set_now(ms(20));
    assert!(!timers.fire());
    assert!(!poll(timer.as_mut(), &alarm));
    timers.resume(OTHER);
    assert_eq!(timers.next(), None);
    timers.resume(NODE);
    assert_eq!(timers.next(), Some(ms(10)));
    assert!(timers.fire());
    assert_eq!(alarm.count(), 1);
}
