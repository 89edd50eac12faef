//! The vDSO tells programs the time without a system call. Its functions are overwritten once per executed image: on x86-64
//! by code that reads the world's time from memory of the program, elsewhere by the system call, which is asked about.

mod elf;

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod code;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use crate::sys::{Pid, memory};

pub(crate) use self::code::patch_wait;

/// Name of the variable whose value is memory that a program has for its own time: see [`Scratch`].
pub(crate) const SCRATCH_VARIABLE: &str = "HALFOPEN_TIME";
/// Value of the variable.
pub(crate) const SCRATCH_VALUE: &str =
    "................................................................................";

/// Bytes to be written into a program's memory.
pub(crate) type Patch = (u64, Vec<u8>);

/// Memory of a program in which it finds its time, and how far it may go on without asking.
///
/// Four numbers of 64 bits: what the monotonic and the wall clock show, in nanoseconds; up to which monotonic time the
/// program may wait by itself; how often it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scratch {
    pub(crate) at: u64,
    /// True if the program itself can write there, which a lease needs.
    pub(crate) is_writable: bool,
}

pub(crate) const SCRATCH_SIZE: usize = 32;

/// The vDSO of a process.
#[derive(Debug)]
pub(crate) struct Region {
    base: u64,
    pub(crate) image: Vec<u8>,
}

impl Region {
    /// Reads the vDSO of a process, if it has one.
    pub(crate) fn find(pid: Pid) -> io::Result<Option<Self>> {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let Some((from, to)) = maps.lines().find(|line| line.ends_with("[vdso]")).and_then(range) else {
            return Ok(None);
        };
        let mut image = vec![0; usize::try_from(to - from).unwrap_or(0)];
        memory::read(pid, from, &mut image)?;
        Ok(Some(Self { base: from, image }))
    }

    /// Returns where it begins and ends.
    pub(crate) fn range(&self) -> (u64, u64) {
        (self.base, self.base + self.image.len() as u64)
    }
}

fn range(line: &str) -> Option<(u64, u64)> {
    let (from, to) = line.split(' ').next()?.split_once('-')?;
    Some((u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?))
}

/// The new layout of a vDSO.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) patches: Vec<Patch>,
    /// The memory from which programs read the time; `None` where they ask for it.
    pub(crate) scratch: Option<Scratch>,
    /// The range of addresses for the code for waiting under a lease.
    pub(crate) free: (u64, u64),
}

/// Plans what is written into a vDSO, whose time is in `scratch` if the program has memory for it.
pub(crate) fn layout(region: &Region, scratch: Option<Scratch>) -> Layout {
    match elf::symbols(&region.image) {
        Some(symbols) => code::layout(region, &symbols, scratch),
        None => Layout::default(),
    }
}

/// Opens the memory of a process to write also where the program cannot.
pub(crate) fn open_memory(pid: Pid) -> io::Result<File> {
    File::options().read(true).write(true).open(format!("/proc/{pid}/mem"))
}

/// Writes a patch.
pub(crate) fn write(memory: &File, (at, bytes): &Patch) -> io::Result<()> {
    memory.write_all_at(bytes, *at)
}

/// Finds the scratch memory in the environment that a program was executed with.
pub(crate) fn find_scratch(pid: Pid) -> Option<Scratch> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // env_start and env_end are the fields 50 and 51; the second field ends with the last parenthesis.
    let mut fields = stat.rsplit_once(") ")?.1.split_whitespace().skip(47);
    let from: u64 = fields.next()?.parse().ok()?;
    let to: u64 = fields.next()?.parse().ok()?;
    let mut environment = vec![0; usize::try_from(to.checked_sub(from)?).ok()?.min(1 << 20)];
    memory::read(pid, from, &mut environment).ok()?;
    let value = format!("{SCRATCH_VARIABLE}={SCRATCH_VALUE}\0");
    let at = environment.windows(value.len()).position(|bytes| bytes == value.as_bytes())?;
    let at = (from + (at + SCRATCH_VARIABLE.len() + 1) as u64).next_multiple_of(16);
    Some(Scratch { at, is_writable: true })
}
