//! The descriptors that the world made for a program, and what is behind each.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use crate::call::FIRST_DESCRIPTOR;
use crate::socket::Socket;
use crate::sys::Pid;

/// An open file that the world made, whatever the number of descriptors that name it. Numbered in the order of their
/// making.
pub(crate) type FileId = u32;

/// An open file of a program, of which the world has a copy.
#[derive(Debug)]
pub(crate) struct Description {
    /// The same open file as the program has.
    pub(crate) file: Rc<OwnedFd>,
    pub(crate) kind: Kind,
    /// Number of descriptors of the program's processes that name it.
    descriptors: usize,
}

/// The kind of an open file.
#[derive(Debug)]
pub(crate) enum Kind {
    /// An end of a pair of local sockets that stands for a TCP socket.
    Socket(Socket),
    /// An eventfd that stands for a timer.
    Timer(Timer),
    Epoll,
    /// /dev/urandom or /dev/random.
    Random,
    /// A pipe, a pair of sockets, an eventfd: the kernel's own.
    Native,
}

/// The expiry of a timer.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    pub(crate) clock: i32,
    pub(crate) at: Option<Duration>,
    pub(crate) interval: Duration,
}

impl Description {
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The open files that the world made, and the descriptors of each process that name them.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    files: BTreeMap<FileId, Description>,
    tables: BTreeMap<Pid, BTreeMap<RawFd, FileId>>,
    last: FileId,
}

impl Descriptors {
    /// Adds an open file that no descriptor names yet.
    pub(crate) fn add(&mut self, file: OwnedFd, kind: Kind) -> FileId {
        self.last += 1;
        self.files.insert(self.last, Description { file: Rc::new(file), kind, descriptors: 0 });
        self.last
    }

    /// Lets a descriptor of a process name a file; returns the file that it named before, if nothing names that any
    /// more.
    pub(crate) fn open(&mut self, process: Pid, fd: RawFd, file: FileId) -> Option<FileId> {
        let before = self.close(process, fd);
        if let Some(description) = self.files.get_mut(&file) {
            description.descriptors += 1;
            self.tables.entry(process).or_default().insert(fd, file);
        }
        before
    }

    /// Closes a descriptor; returns its file if no other names it.
    pub(crate) fn close(&mut self, process: Pid, fd: RawFd) -> Option<FileId> {
        let file = self.tables.get_mut(&process)?.remove(&fd)?;
        let description = self.files.get_mut(&file)?;
        description.descriptors -= 1;
        (description.descriptors == 0).then_some(file)
    }

    /// Removes an open file.
    pub(crate) fn remove(&mut self, file: FileId) -> Option<Description> {
        self.files.remove(&file)
    }

    /// A process is a copy of another.
    pub(crate) fn fork(&mut self, parent: Pid, child: Pid) {
        for (fd, file) in self.tables.get(&parent).cloned().unwrap_or_default() {
            self.open(child, fd, file);
        }
    }

    /// A process has ended; returns the files that no descriptor names any more.
    pub(crate) fn end(&mut self, process: Pid) -> Vec<FileId> {
        let fds: Vec<RawFd> = self.table(process).map(|(fd, _)| fd).collect();
        let files = fds.into_iter().filter_map(|fd| self.close(process, fd)).collect();
        self.tables.remove(&process);
        files
    }

    /// Returns the file that a descriptor names, if the world made it.
    pub(crate) fn find(&self, process: Pid, fd: RawFd) -> Option<FileId> {
        self.tables.get(&process)?.get(&fd).copied()
    }

    /// Returns the descriptors of a process.
    pub(crate) fn table(&self, process: Pid) -> impl Iterator<Item = (RawFd, FileId)> {
        self.tables.get(&process).into_iter().flatten().map(|(fd, file)| (*fd, *file))
    }

    /// Returns the number for the next descriptor of a process.
    pub(crate) fn lowest_free(&self, process: Pid) -> RawFd {
        let mut free = FIRST_DESCRIPTOR;
        for (fd, _) in self.table(process).filter(|(fd, _)| *fd >= FIRST_DESCRIPTOR) {
            if fd != free {
                break;
            }
            free += 1;
        }
        free
    }

    pub(crate) fn get(&self, file: FileId) -> Option<&Description> {
        self.files.get(&file)
    }

    pub(crate) fn get_mut(&mut self, file: FileId) -> Option<&mut Description> {
        self.files.get_mut(&file)
    }

    pub(crate) fn socket(&self, file: FileId) -> Option<(&Description, &Socket)> {
        let description = self.files.get(&file)?;
        match &description.kind {
            Kind::Socket(socket) => Some((description, socket)),
            _ => None,
        }
    }

    pub(crate) fn socket_mut(&mut self, file: FileId) -> Option<&mut Socket> {
        match &mut self.files.get_mut(&file)?.kind {
            Kind::Socket(socket) => Some(socket),
            _ => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (FileId, &Description)> {
        self.files.iter().map(|(id, description)| (*id, description))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(descriptors: &mut Descriptors) -> FileId {
        let (end, _) = crate::sys::descriptors::pipe(0).expect("a pipe can be made");
        descriptors.add(end, Kind::Native)
    }

    #[test]
    fn a_file_is_there_as_long_as_any_descriptor_of_any_process_names_it() {
        let mut descriptors = Descriptors::default();
        let pipe = file(&mut descriptors);
        descriptors.open(1, 400, pipe);
        descriptors.open(1, 401, pipe);
        descriptors.fork(1, 2);
        assert_eq!(descriptors.close(1, 400), None);
        assert_eq!(descriptors.close(1, 401), None);
        assert_eq!(descriptors.close(1, 401), None, "it is closed already");
        assert_eq!(descriptors.end(2), [pipe]);
    }

    #[test]
    fn numbers_are_the_lowest_that_are_free() {
        let mut descriptors = Descriptors::default();
        let pipe = file(&mut descriptors);
        descriptors.open(1, 0, pipe);
        assert_eq!(descriptors.lowest_free(1), FIRST_DESCRIPTOR);
        descriptors.open(1, FIRST_DESCRIPTOR, pipe);
        descriptors.open(1, FIRST_DESCRIPTOR + 2, pipe);
        assert_eq!(descriptors.lowest_free(1), FIRST_DESCRIPTOR + 1);
    }

    #[test]
    fn a_descriptor_that_gets_another_file_closes_the_first() {
        let mut descriptors = Descriptors::default();
        let (first, second) = (file(&mut descriptors), file(&mut descriptors));
        assert_eq!(descriptors.open(1, 400, first), None);
        assert_eq!(descriptors.open(1, 400, second), Some(first));
        assert_eq!(descriptors.find(1, 400), Some(second));
    }
}
