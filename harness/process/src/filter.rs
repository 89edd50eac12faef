use crate::call::{Asked, CALLS, FIRST_DESCRIPTOR};
use crate::sys::start::Instruction;

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

// Where `struct seccomp_data` has the architecture, the number of the call, and the low half of its first argument.
const ARCHITECTURE: u32 = 4;
const NUMBER: u32 = 0;
const FIRST_ARGUMENT: u32 = 16;

const ALLOW: u32 = 0x7fff_0000;
const ASK: u32 = 0x7fc0_0000;
const KILL: u32 = 0x8000_0000;

#[cfg(target_arch = "x86_64")]
const THIS_ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const THIS_ARCHITECTURE: u32 = 0xc000_00b7;

/// Returns the filter: kills what calls for another architecture, asks about the calls of [`CALLS`], and allows all others.
///
/// A call that is always allowed is decided by its number alone, which the kernel notices and remembers.
pub(crate) fn filter() -> Vec<Instruction> {
    let op = |code, jt, jf, k| Instruction { code, jt, jf, k };
    let mut filter = vec![
        op(LOAD, 0, 0, ARCHITECTURE),
        op(IF_EQUAL, 1, 0, THIS_ARCHITECTURE),
        op(RETURN, 0, 0, KILL),
        op(LOAD, 0, 0, NUMBER),
    ];
    for (number, _, asked) in CALLS {
        let number = *number as u32;
        match asked {
            Asked::Always => filter.extend([op(IF_EQUAL, 0, 1, number), op(RETURN, 0, 0, ASK)]),
            Asked::OnDescriptor => filter.extend([
                op(IF_EQUAL, 0, 5, number),
                op(LOAD, 0, 0, FIRST_ARGUMENT),
                op(IF_EQUAL, 1, 0, 0),
                op(IF_AT_LEAST, 0, 1, FIRST_DESCRIPTOR as u32),
                op(RETURN, 0, 0, ASK),
                op(RETURN, 0, 0, ALLOW),
            ]),
        }
    }
    filter.push(op(RETURN, 0, 0, ALLOW));
    filter
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Plays the filter as the kernel does.
    fn decide(architecture: u32, number: i64, argument: u32) -> u32 {
        let filter = filter();
        let (mut at, mut value) = (0, 0);
        loop {
            let Instruction { code, jt, jf, k } = filter[at];
            at += 1;
            match code {
                LOAD => {
                    value = match k {
                        ARCHITECTURE => architecture,
                        NUMBER => number as u32,
                        FIRST_ARGUMENT => argument,
                        other => panic!("nothing is loaded from {other}"),
                    }
                }
                IF_EQUAL => at += usize::from(if value == k { jt } else { jf }),
                IF_AT_LEAST => at += usize::from(if value >= k { jt } else { jf }),
                RETURN => return k,
                other => panic!("no instruction {other:#x}"),
            }
        }
    }

    #[rstest]
    #[case::always(libc::SYS_clock_gettime, 1, ASK)]
    #[case::first_always(libc::SYS_nanosleep, 0, ASK)]
    #[case::of_a_file(libc::SYS_read, 7, ALLOW)]
    #[case::of_the_last_native_descriptor(libc::SYS_read, 399, ALLOW)]
    #[case::of_a_stand_in(libc::SYS_read, 400, ASK)]
    #[case::of_the_standard_input(libc::SYS_read, 0, ASK)]
    #[case::of_the_standard_output(libc::SYS_write, 1, ALLOW)]
    #[case::last_of_the_list(libc::SYS_gettid, 0, ASK)]
    #[case::not_in_the_list(libc::SYS_getppid, 400, ALLOW)]
    #[case::masks_of_signals(libc::SYS_rt_sigprocmask, 0, ALLOW)]
    fn filter_decides(#[case] number: i64, #[case] argument: u32, #[case] decision: u32) {
        assert_eq!(decide(THIS_ARCHITECTURE, number, argument), decision);
    }

    #[test]
    fn another_architecture_is_killed() {
        assert_eq!(decide(0x4000_0003, libc::SYS_read, 0), KILL);
    }

    #[test]
    fn filter_is_as_short_as_the_kernel_demands() {
        assert!(filter().len() < 4096);
    }

    #[test]
    fn no_call_stands_in_the_list_twice() {
        let mut numbers: Vec<_> = CALLS.iter().map(|(number, ..)| number).collect();
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), CALLS.len());
    }
}
