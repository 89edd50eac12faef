use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// The reason for which a program could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no such program.
    #[error("there is no program `{0}`, or it may not be executed")]
    NotFound(PathBuf),
    /// The folder to start in, the command or the environment cannot be given to a program.
    #[error("{0} contains a zero byte, which no program can be given")]
    ZeroByte(&'static str),
    /// The system does not let a process watch the system calls of another.
    #[error("the system refuses a seccomp filter with user notification ({0}). {advice}", advice = filter_advice(.0))]
    Filter(#[source] io::Error),
    /// The system does not let a process read and write the memory of another.
    #[error(
        "the system refuses to read the program's memory ({0}): allow ptrace of own children (kernel.yama.ptrace_scope 0 or 1; in a container the capability SYS_PTRACE)"
    )]
    Memory(#[source] io::Error),
    /// Another system call failed.
    #[error("the program cannot be started: {0}")]
    System(#[from] io::Error),
}

/// The reason for which a program cannot go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// A thread computes without end, and waits for nothing that the world could bring.
    #[error(
        "the program has used {processor_time:?} of processor time without a system call: it spins, and virtual time stands still meanwhile"
    )]
    Spins {
        /// Processor time since its last system call.
        processor_time: Duration,
    },
    /// A program makes one system call after the other, and none that waits.
    #[error(
        "the program has made {calls} system calls, most of them `{most}`, and none of them waits: it spins{}",
        advice_on_spinning(most)
    )]
    NeverWaits {
        /// Number of system calls since it waited last.
        calls: u64,
        /// The call that it has made most often.
        most: &'static str,
    },
    /// The program cannot be watched any more.
    #[error("the program cannot be watched any more: {0}")]
    System(#[from] io::Error),
}

fn advice_on_spinning(most: &str) -> &'static str {
    match most {
        "sched_yield" => {
            ". Its threads may wait for each other without sleeping: Erlang's do not with \
             `+sbwt none +sbwtdcpu none +sbwtdio none`, and other runtimes have options of their own"
        }
        _ => "",
    }
}

fn filter_advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EBUSY) => {
            "Another program already watches all processes here, as some container managers do, and there can be only one: \
             run outside of that container."
        }
        Some(libc::EINVAL | libc::ENOSYS) => {
            "It needs Linux 5.14 or later, with CONFIG_SECCOMP_FILTER; gVisor has none."
        }
        _ => "In a container, its seccomp profile has to allow the system call `seccomp`.",
    }
}
