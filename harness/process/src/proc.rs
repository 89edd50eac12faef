//! What /proc says about processes and threads.

use std::fs;

use crate::sys::Pid;

/// The state of a thread according to /proc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ThreadState {
    /// `R`, `S`, `D`, `Z`, …
    pub(crate) letter: char,
    /// Processor time used, in hundredths of a second.
    pub(crate) processor_time: u64,
    /// The system call that it is in, if any.
    pub(crate) call: Option<i64>,
}

/// Returns what a thread does; none if it is gone.
pub(crate) fn thread_state(tid: Pid) -> Option<ThreadState> {
    let stat = fs::read_to_string(format!("/proc/{tid}/stat")).ok()?;
    let (letter, processor_time) = parse_stat(&stat)?;
    let call = fs::read_to_string(format!("/proc/{tid}/syscall")).ok();
    let call = call.and_then(|line| line.split_whitespace().next()?.parse().ok());
    Some(ThreadState { letter, processor_time, call })
}

fn parse_stat(stat: &str) -> Option<(char, u64)> {
    // The name may hold anything, also parentheses.
    let mut fields = stat.rsplit_once(") ")?.1.split_whitespace();
    let letter = fields.next()?.chars().next()?;
    let user: u64 = fields.nth(10)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((letter, user + system))
}

/// The content of /proc/PID/status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// The process that a thread belongs to.
    pub(crate) process: Pid,
    pub(crate) parent: Pid,
    /// Id of the thread as it itself sees it.
    pub(crate) inner_thread: Pid,
    /// Signals that wait, for the thread or for its process.
    pub(crate) pending: u64,
    /// Signals that the thread does not take.
    pub(crate) blocked: u64,
}

/// Returns what /proc says about a thread; none if it is gone.
pub(crate) fn status(tid: Pid) -> Option<Status> {
    parse_status(&fs::read_to_string(format!("/proc/{tid}/status")).ok()?)
}

fn parse_status(text: &str) -> Option<Status> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let id = |name: &str| field(name).and_then(|value| value.split_whitespace().last()?.parse().ok());
    let signals = |name: &str| field(name).and_then(|value| u64::from_str_radix(value, 16).ok()).unwrap_or(0);
    Some(Status {
        process: id("Tgid:")?,
        parent: id("PPid:")?,
        inner_thread: id("NSpid:").or(id("Pid:"))?,
        pending: signals("SigPnd:") | signals("ShdPnd:"),
        blocked: signals("SigBlk:"),
    })
}

/// Returns whether a thread of a process is still there.
pub(crate) fn has_thread(process: Pid, tid: Pid) -> bool {
    fs::exists(format!("/proc/{process}/task/{tid}")).unwrap_or(false)
}

/// Returns the threads of a process.
pub(crate) fn threads(process: Pid) -> Vec<Pid> {
    let Ok(folder) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Returns the processes that a thread has made and that are there.
pub(crate) fn children(process: Pid) -> Vec<Pid> {
    let of_thread = |tid: Pid| fs::read_to_string(format!("/proc/{process}/task/{tid}/children")).ok();
    let all: String = threads(process).into_iter().filter_map(of_thread).collect();
    all.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Returns whether a process has a descriptor.
pub(crate) fn has_descriptor(process: Pid, fd: i32) -> bool {
    fs::symlink_metadata(format!("/proc/{process}/fd/{fd}")).is_ok()
}

/// Returns where the kernel put 16 random bytes for a program that was executed.
pub(crate) fn random_bytes(process: Pid) -> Option<u64> {
    const AT_RANDOM: u64 = 25;
    let vector = fs::read(format!("/proc/{process}/auxv")).ok()?;
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_ne_bytes).unwrap_or(0);
    vector.chunks_exact(16).find(|entry| number(&entry[..8]) == AT_RANDOM).map(|entry| number(&entry[8..]))
}

/// Returns the id of this process.
#[cfg(test)]
pub(crate) fn own() -> Pid {
    let link = fs::read_link("/proc/self").expect("/proc is there");
    link.to_str().and_then(|pid| pid.parse().ok()).expect("it is a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_whatever_the_name_of_the_program() {
        let stat = "17 (a) R (b) S 1 17 17 0 -1 4194304 100 0 0 0 12 34 0 0 20 0 1 0 5 0 0";
        assert_eq!(parse_stat(stat), Some(('S', 46)));
        assert_eq!(parse_stat("17 (a"), None);
    }

    #[test]
    fn status_is_read_with_the_ids_inside() {
        let text = "Name:\ta\nTgid:\t70\nPid:\t71\nPPid:\t9\nNStgid:\t70\t1\nNSpid:\t71\t2\nSigPnd:\t0000000000000001\n\
                    ShdPnd:\t0000000000004000\nSigBlk:\t0000000000000002\n";
        let status = parse_status(text).expect("it is complete");
        assert_eq!((status.process, status.parent), (70, 9));
        assert_eq!(status.inner_thread, 2);
        assert_eq!((status.pending, status.blocked), (0x4001, 2));
    }

    #[test]
    fn the_own_process_is_there() {
        let pid = own();
        assert!(thread_state(pid).is_some() && threads(pid).contains(&pid) && has_thread(pid, pid));
        assert!(has_descriptor(pid, 0) && !has_descriptor(pid, 99_999) && random_bytes(pid).is_some());
    }
}
