//! Machine code for a program: clocks that read the world's time from the program's memory, and a wait under a lease.
//!
//! `0x5c5c5c5c5c5c5c5c` stands for the address of [`Scratch`](crate::vdso::Scratch) in the program. The code is
//! position-independent and is copied behind the vDSO's own.

use std::arch::global_asm;
use std::slice;

global_asm!(
    ".pushsection .rodata.halfopen_stubs, \"a\", @progbits",
    // What refers to them may be compiled into another object.
    ".globl halfopen_stub_clock_gettime, halfopen_stub_clock_gettime_end",
    ".hidden halfopen_stub_clock_gettime, halfopen_stub_clock_gettime_end",
    ".globl halfopen_stub_gettimeofday, halfopen_stub_gettimeofday_end",
    ".hidden halfopen_stub_gettimeofday, halfopen_stub_gettimeofday_end",
    ".globl halfopen_stub_time, halfopen_stub_time_end",
    ".hidden halfopen_stub_time, halfopen_stub_time_end",
    ".globl halfopen_stub_epoll_wait, halfopen_stub_epoll_wait_end",
    ".hidden halfopen_stub_epoll_wait, halfopen_stub_epoll_wait_end",
    // int clock_gettime(clockid_t clock, struct timespec *time)
    "halfopen_stub_clock_gettime:",
    "movabs r8, 0x5c5c5c5c5c5c5c5c",
    "cmp edi, 11",
    "ja 3f",
    "mov ecx, 0x821", // REALTIME, REALTIME_COARSE, TAI
    "bt ecx, edi",
    "jc 2f",
    "mov ecx, 0xd2", // MONOTONIC, MONOTONIC_RAW, MONOTONIC_COARSE, BOOTTIME
    "bt ecx, edi",
    "jnc 3f",
    "mov rax, [r8]",
    "1:",
    "xor edx, edx",
    "mov ecx, 1000000000",
    "div rcx",
    "mov [rsi], rax",
    "mov [rsi + 8], rdx",
    "xor eax, eax",
    "ret",
    "2:",
    "mov rax, [r8 + 8]",
    "jmp 1b",
    "3:",
    "mov eax, 228",
    "syscall",
    "ret",
    "halfopen_stub_clock_gettime_end:",
    // int gettimeofday(struct timeval *time, void *zone)
    "halfopen_stub_gettimeofday:",
    "test rdi, rdi",
    "jz 1f",
    "movabs r8, 0x5c5c5c5c5c5c5c5c",
    "mov rax, [r8 + 8]",
    "xor edx, edx",
    "mov ecx, 1000000000",
    "div rcx",
    "mov [rdi], rax",
    "mov rax, rdx",
    "xor edx, edx",
    "mov ecx, 1000",
    "div rcx",
    "mov [rdi + 8], rax",
    "1:",
    "xor eax, eax",
    "ret",
    "halfopen_stub_gettimeofday_end:",
    // time_t time(time_t *time)
    "halfopen_stub_time:",
    "movabs r8, 0x5c5c5c5c5c5c5c5c",
    "mov rax, [r8 + 8]",
    "xor edx, edx",
    "mov ecx, 1000000000",
    "div rcx",
    "test rdi, rdi",
    "jz 1f",
    "mov [rdi], rax",
    "1:",
    "ret",
    "halfopen_stub_time_end:",
    // epoll_wait as a system call: the time-out is in r10d, in milliseconds. Clobbers what a system call may: rcx, r11.
    // The jump back to behind the call follows.
    "halfopen_stub_epoll_wait:",
    "test r10d, r10d",
    "jle 1f",
    "movabs rax, 0x5c5c5c5c5c5c5c5c",
    "movsxd rcx, r10d",
    "imul rcx, rcx, 1000000",
    "mov r11, rcx",
    "add rcx, [rax]",
    "cmp rcx, [rax + 16]",
    "jae 1f",
    "mov [rax], rcx",
    "add [rax + 8], r11",
    "inc qword ptr [rax + 24]",
    "xor eax, eax",
    "jmp 2f",
    "1:",
    "mov eax, 232",
    "syscall",
    "2:",
    "halfopen_stub_epoll_wait_end:",
    ".popsection",
);

// SAFETY: the symbols are the labels above.
unsafe extern "C" {
    static halfopen_stub_clock_gettime: u8;
    static halfopen_stub_clock_gettime_end: u8;
    static halfopen_stub_gettimeofday: u8;
    static halfopen_stub_gettimeofday_end: u8;
    static halfopen_stub_time: u8;
    static halfopen_stub_time_end: u8;
    static halfopen_stub_epoll_wait: u8;
    static halfopen_stub_epoll_wait_end: u8;
}

/// A placeholder in the code for the address of the scratch memory.
pub(crate) const SCRATCH: [u8; 8] = [0x5c; 8];

/// Returns the code of `clock_gettime`.
pub(crate) fn clock_gettime() -> &'static [u8] {
    between(&raw const halfopen_stub_clock_gettime, &raw const halfopen_stub_clock_gettime_end)
}

/// Returns the code of `gettimeofday`.
pub(crate) fn gettimeofday() -> &'static [u8] {
    between(&raw const halfopen_stub_gettimeofday, &raw const halfopen_stub_gettimeofday_end)
}

/// Returns the code of `time`.
pub(crate) fn time() -> &'static [u8] {
    between(&raw const halfopen_stub_time, &raw const halfopen_stub_time_end)
}

/// Returns the code of `epoll_wait` under a lease, to which the jump back is to be added.
pub(crate) fn epoll_wait() -> &'static [u8] {
    between(&raw const halfopen_stub_epoll_wait, &raw const halfopen_stub_epoll_wait_end)
}

fn between(from: *const u8, to: *const u8) -> &'static [u8] {
    // SAFETY: both are labels of one section, `from` before `to`, and nothing writes there.
    unsafe { slice::from_raw_parts(from, to.offset_from(from) as usize) }
}
