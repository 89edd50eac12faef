//! Descriptors that the world makes: pipes, pairs of sockets, eventfds, randomness; reading, writing, copying and closing.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use super::waits::Wait;
use super::{Answer, Process, Question, error};
use crate::call::Call;
use crate::descriptors::{FileId, Kind};
use crate::error::RunError;
use crate::socket::Phase;
use crate::sys::{self, Pid, descriptors, memory};

/// CLOSE_RANGE_CLOEXEC
const CLOSE_LATER: i32 = 4;
/// Number of bytes of the longest path that is not the machine's, with the zero behind it.
const LONGEST_PATH: usize = 32;
/// Maximum number of random bytes per call, as the kernel has it for large requests.
const MOST_RANDOM_BYTES: u64 = 32 << 20;

impl Process {
    pub(super) fn answer_file(&mut self, question: &Question) -> Result<Answer, RunError> {
        let pid = question.pid;
        Ok(match question.call {
            Call::Getrandom => self.write_random(pid, question.word(0), question.word(1)),
            Call::Pipe | Call::Pipe2 => {
                let flags = if question.call == Call::Pipe2 { question.int(1) } else { 0 };
                let pair = descriptors::pipe(flags & (libc::O_NONBLOCK | libc::O_DIRECT))?;
                self.give_pair(question, question.word(0), pair, flags & libc::O_CLOEXEC != 0)?
            }
            Call::Socketpair => {
                if question.int(0) != libc::AF_UNIX {
                    return Ok(Answer::GoOn);
                }
                let kind = question.int(1);
                let pair = descriptors::socketpair(kind & !libc::SOCK_CLOEXEC)?;
                self.give_pair(question, question.word(3), pair, kind & libc::SOCK_CLOEXEC != 0)?
            }
            Call::Eventfd | Call::Eventfd2 => {
                let flags = if question.call == Call::Eventfd2 { question.int(1) } else { 0 };
                let file = descriptors::eventfd(question.int(0) as u32, flags & !libc::EFD_CLOEXEC)?;
                self.give(question, file, Kind::Native, flags & libc::EFD_CLOEXEC != 0)?
            }
            Call::Open => self.open(question, question.word(0), question.int(1))?,
            Call::Openat => self.open(question, question.word(1), question.int(2))?,
            Call::Dup => self.duplicate(question, false)?,
            Call::Dup2 | Call::Dup3 => {
                let (old, new) = (question.int(0), question.int(1));
                if let Some(file) = self.files.find(pid, old).filter(|_| old != new) {
                    if let Some(closed) = self.files.open(pid, new, file) {
                        self.close_file(closed);
                    }
                } else if old != new {
                    self.close(pid, new);
                }
                Answer::GoOn
            }
            Call::Fcntl => match question.int(1) {
                libc::F_DUPFD => self.duplicate(question, false)?,
                libc::F_DUPFD_CLOEXEC => self.duplicate(question, true)?,
                _ => Answer::GoOn,
            },
            Call::Close => {
                self.close(pid, question.int(0));
                Answer::GoOn
            }
            Call::CloseRange => {
                let range = question.word(0) as u32..=question.word(1) as u32;
                if question.int(2) & CLOSE_LATER == 0 {
                    let fds: Vec<i32> =
                        self.files.table(pid).map(|(fd, _)| fd).filter(|fd| range.contains(&(*fd as u32))).collect();
                    for fd in fds {
                        self.close(pid, fd);
                    }
                }
                Answer::GoOn
            }
            _ => self.answer_transfer(question),
        })
    }

    /// Reads and writes are the kernel's, once they do not block.
    fn answer_transfer(&mut self, question: &Question) -> Answer {
        let Some(id) = self.files.find(question.pid, question.int(0)) else { return Answer::GoOn };
        let Some(file) = self.files.get_mut(id) else { return Answer::GoOn };
        let events = match question.call {
            Call::Read | Call::Readv | Call::Recvfrom | Call::Recvmsg => libc::POLLIN,
            _ => libc::POLLOUT,
        };
        let flags = match question.call {
            Call::Recvfrom | Call::Sendto | Call::Sendmmsg => question.int(3),
            Call::Recvmsg | Call::Sendmsg => question.int(2),
            _ => 0,
        };
        let mut deadline = None;
        let has_unread = descriptors::unread(file.fd()) > 0;
        match &mut file.kind {
            Kind::Random if question.call == Call::Read => {
                return self.write_random(question.pid, question.word(1), question.word(2));
            }
            // The stand-in itself knows no error but ECONNRESET.
            Kind::Socket(socket) if socket.phase == Phase::Dead && socket.error != 0 && !has_unread => {
                return error(std::mem::take(&mut socket.error));
            }
            Kind::Socket(socket) if events == libc::POLLIN => {
                deadline = socket.read_timeout.map(|timeout| self.now.saturating_add(timeout));
            }
            Kind::Socket(_) => self.wrote = Some(id),
            _ => {}
        }
        let may_go_on = flags & libc::MSG_DONTWAIT != 0
            || sys::is_ready(file.fd(), events)
            || descriptors::is_nonblocking(file.fd());
        if may_go_on {
            Answer::GoOn
        } else {
            Answer::Wait(Wait::Ready { file: Rc::clone(&file.file), events }, deadline)
        }
    }

    fn write_random(&mut self, pid: Pid, at: u64, count: u64) -> Answer {
        let bytes = self.random_bytes(count.min(MOST_RANDOM_BYTES) as usize);
        match memory::write(pid, at, &bytes) {
            Ok(()) => Answer::Value(bytes.len() as i64),
            Err(_) => error(libc::EFAULT),
        }
    }

    /// The devices of randomness are the world's, and so is one of its own files that is named by its descriptor, as in
    /// `/dev/fd/63`; all other files are the machine's.
    fn open(&mut self, question: &Question, path_at: u64, flags: i32) -> Result<Answer, RunError> {
        let mut path = [0; LONGEST_PATH];
        let read = memory::read_some(question.pid, path_at, &mut path).unwrap_or(0);
        let Some(path) = path[..read].split(|byte| *byte == 0).next() else { return Ok(Answer::GoOn) };
        let cloexec = flags & libc::O_CLOEXEC != 0;
        if matches!(path, b"/dev/urandom" | b"/dev/random") {
            // The device itself, so that it looks like one; what is read from it is answered.
            let file = File::open("/dev/urandom")?;
            return self.give(question, file.into(), Kind::Random, cloexec);
        }
        let file = named_descriptor(path).and_then(|fd| self.files.find(question.pid, fd));
        match file.filter(|file| self.files.socket(*file).is_none()) {
            // A copy of the descriptor is what programs expect of it.
            Some(file) => self.give_file(question, file, cloexec),
            None => Ok(Answer::GoOn),
        }
    }

    /// Puts a new file into the program, and answers with its number.
    pub(super) fn give(
        &mut self,
        question: &Question,
        file: OwnedFd,
        kind: Kind,
        cloexec: bool,
    ) -> Result<Answer, RunError> {
        let id = self.files.add(file, kind);
        let answer = self.give_file(question, id, cloexec);
        if !matches!(answer, Ok(Answer::Answered)) {
            self.files.remove(id);
        }
        answer
    }

    /// Puts a file into the program at a new number, and answers with that.
    pub(super) fn give_file(&mut self, question: &Question, id: FileId, cloexec: bool) -> Result<Answer, RunError> {
        self.show_time(question.thread)?;
        let fd = self.files.lowest_free(question.pid);
        let Some(file) = self.files.get(id) else { return Ok(error(libc::EBADF)) };
        match self.started.listener.add_fd(question.notification.id, file.fd(), Some(fd), cloexec) {
            Ok(fd) => {
                self.files.open(question.pid, fd, id);
                Ok(Answer::Answered)
            }
            Err(failure) => refused(&failure),
        }
    }

    /// Puts both ends of something into the program, and their numbers into its memory.
    fn give_pair(
        &mut self,
        question: &Question,
        at: u64,
        (first, second): (OwnedFd, OwnedFd),
        cloexec: bool,
    ) -> Result<Answer, RunError> {
        let mut numbers = Vec::with_capacity(8);
        for file in [first, second] {
            let fd = self.files.lowest_free(question.pid);
            if let Err(failure) =
                self.started.listener.add_fd_silently(question.notification.id, file.as_fd(), fd, cloexec)
            {
                return refused(&failure);
            }
            let id = self.files.add(file, Kind::Native);
            self.files.open(question.pid, fd, id);
            numbers.extend(fd.to_ne_bytes());
        }
        Ok(match memory::write(question.pid, at, &numbers) {
            Ok(()) => Answer::Value(0),
            Err(_) => error(libc::EFAULT),
        })
    }

    fn duplicate(&mut self, question: &Question, cloexec: bool) -> Result<Answer, RunError> {
        match self.files.find(question.pid, question.int(0)) {
            Some(file) => self.give_file(question, file, cloexec),
            None => Ok(Answer::GoOn),
        }
    }

    /// A descriptor of the program is closed.
    pub(super) fn close(&mut self, pid: Pid, fd: i32) {
        if let Some(file) = self.files.close(pid, fd) {
            self.close_file(file);
        }
    }

    /// The last descriptor of a file is closed.
    pub(super) fn close_file(&mut self, id: FileId) {
        self.stirred += 1;
        if self.files.socket(id).is_some() {
            self.close_socket(id);
        }
        descriptors::release(self.files.remove(id));
        self.timers.remove(&id);
    }
}

/// Returns the descriptor that a path names.
fn named_descriptor(path: &[u8]) -> Option<i32> {
    match path {
        b"/dev/stdin" => Some(0),
        b"/dev/stdout" => Some(1),
        b"/dev/stderr" => Some(2),
        _ => {
            let number = path.strip_prefix(b"/dev/fd/").or_else(|| path.strip_prefix(b"/proc/self/fd/"))?;
            std::str::from_utf8(number).ok()?.parse().ok()
        }
    }
}

/// Answers a call for which a descriptor could not be put into the program.
fn refused(failure: &io::Error) -> Result<Answer, RunError> {
    match failure.raw_os_error() {
        // Beyond the program's limit.
        Some(libc::EBADF) => Ok(error(libc::EMFILE)),
        // Interrupted or killed meanwhile.
        Some(libc::ENOENT) => Ok(Answer::Answered),
        code => Ok(error(code.unwrap_or(libc::EMFILE))),
    }
}
