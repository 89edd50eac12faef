//! The system calls that a program is asked about, and the filter that asks.

/// The condition under which the filter asks about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Always.
    Always,
    /// The first argument is a descriptor that the world made: 0, or [`FIRST_DESCRIPTOR`] and up.
    OnDescriptor,
}

/// Number of the first descriptor that the world makes. Below are those that the program opens natively. Below 1024, so
/// that `select` can have them.
pub(crate) const FIRST_DESCRIPTOR: i32 = 400;

macro_rules! calls {
    ($( $(#[$cfg:meta])* $variant:ident = $number:ident, $asked:ident; )*) => {
        /// A system call that the filter asks about. Not every architecture has all of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "some calls are x86-64's alone"))]
        pub(crate) enum Call { $( $variant, )* }

        /// All calls of this architecture, with their numbers.
        pub(crate) const CALLS: &[(i64, Call, Asked)] = &[
            $( $(#[$cfg])* (libc::$number, Call::$variant, Asked::$asked), )*
        ];

        impl Call {
            /// Returns the call of this number, if the filter asks about it.
            pub(crate) fn of(number: i32) -> Option<Self> {
                match i64::from(number) {
                    $( $(#[$cfg])* libc::$number => Some(Self::$variant), )*
                    _ => None,
                }
            }

            /// Returns the name of the call, as in its manual page.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $( Self::$variant => &stringify!($number)[4..], )*
                }
            }
        }
    };
}

calls! {
    // Time.
    ClockGettime = SYS_clock_gettime, Always;
    Gettimeofday = SYS_gettimeofday, Always;
    #[cfg(target_arch = "x86_64")] Time = SYS_time, Always;
    Times = SYS_times, Always;
    Getrusage = SYS_getrusage, Always;
    Nanosleep = SYS_nanosleep, Always;
    ClockNanosleep = SYS_clock_nanosleep, Always;
    TimerfdCreate = SYS_timerfd_create, Always;
    TimerfdSettime = SYS_timerfd_settime, OnDescriptor;
    TimerfdGettime = SYS_timerfd_gettime, OnDescriptor;
    #[cfg(target_arch = "x86_64")] Alarm = SYS_alarm, Always;
    Setitimer = SYS_setitimer, Always;
    Getitimer = SYS_getitimer, Always;
    TimerCreate = SYS_timer_create, Always;
    TimerSettime = SYS_timer_settime, Always;
    TimerGettime = SYS_timer_gettime, Always;
    TimerGetoverrun = SYS_timer_getoverrun, Always;
    TimerDelete = SYS_timer_delete, Always;
    // Waiting.
    #[cfg(target_arch = "x86_64")] EpollCreate = SYS_epoll_create, Always;
    EpollCreate1 = SYS_epoll_create1, Always;
    #[cfg(target_arch = "x86_64")] EpollWait = SYS_epoll_wait, Always;
    EpollPwait = SYS_epoll_pwait, Always;
    EpollPwait2 = SYS_epoll_pwait2, Always;
    EpollCtl = SYS_epoll_ctl, OnDescriptor;
    #[cfg(target_arch = "x86_64")] Poll = SYS_poll, Always;
    Ppoll = SYS_ppoll, Always;
    #[cfg(target_arch = "x86_64")] Select = SYS_select, Always;
    Pselect6 = SYS_pselect6, Always;
    Futex = SYS_futex, Always;
    FutexWaitv = SYS_futex_waitv, Always;
    SchedYield = SYS_sched_yield, Always;
    // Descriptors.
    Socket = SYS_socket, Always;
    Socketpair = SYS_socketpair, Always;
    #[cfg(target_arch = "x86_64")] Pipe = SYS_pipe, Always;
    Pipe2 = SYS_pipe2, Always;
    #[cfg(target_arch = "x86_64")] Eventfd = SYS_eventfd, Always;
    Eventfd2 = SYS_eventfd2, Always;
    #[cfg(target_arch = "x86_64")] Signalfd = SYS_signalfd, Always;
    Signalfd4 = SYS_signalfd4, Always;
    IoUringSetup = SYS_io_uring_setup, Always;
    #[cfg(target_arch = "x86_64")] Open = SYS_open, Always;
    Openat = SYS_openat, Always;
    Dup = SYS_dup, OnDescriptor;
    // Asked about whatever the file is: it may take the place of a descriptor that the world made, as in `read <file`.
    #[cfg(target_arch = "x86_64")] Dup2 = SYS_dup2, Always;
    Dup3 = SYS_dup3, Always;
    Fcntl = SYS_fcntl, OnDescriptor;
    Close = SYS_close, OnDescriptor;
    CloseRange = SYS_close_range, Always;
    Connect = SYS_connect, OnDescriptor;
    Accept = SYS_accept, OnDescriptor;
    Accept4 = SYS_accept4, OnDescriptor;
    Bind = SYS_bind, OnDescriptor;
    Listen = SYS_listen, OnDescriptor;
    Getsockname = SYS_getsockname, OnDescriptor;
    Getpeername = SYS_getpeername, OnDescriptor;
    Setsockopt = SYS_setsockopt, OnDescriptor;
    Getsockopt = SYS_getsockopt, OnDescriptor;
    Shutdown = SYS_shutdown, OnDescriptor;
    Read = SYS_read, OnDescriptor;
    Readv = SYS_readv, OnDescriptor;
    Recvfrom = SYS_recvfrom, OnDescriptor;
    Recvmsg = SYS_recvmsg, OnDescriptor;
    Write = SYS_write, OnDescriptor;
    Writev = SYS_writev, OnDescriptor;
    Sendto = SYS_sendto, OnDescriptor;
    Sendmsg = SYS_sendmsg, OnDescriptor;
    Sendmmsg = SYS_sendmmsg, OnDescriptor;
    Sendfile = SYS_sendfile, OnDescriptor;
    // Randomness.
    Getrandom = SYS_getrandom, Always;
    // Threads, processes and signals.
    Clone = SYS_clone, Always;
    Clone3 = SYS_clone3, Always;
    #[cfg(target_arch = "x86_64")] Fork = SYS_fork, Always;
    #[cfg(target_arch = "x86_64")] Vfork = SYS_vfork, Always;
    Execve = SYS_execve, Always;
    Execveat = SYS_execveat, Always;
    Exit = SYS_exit, Always;
    ExitGroup = SYS_exit_group, Always;
    Wait4 = SYS_wait4, Always;
    Waitid = SYS_waitid, Always;
    Kill = SYS_kill, Always;
    Tkill = SYS_tkill, Always;
    Tgkill = SYS_tgkill, Always;
    RtSigqueueinfo = SYS_rt_sigqueueinfo, Always;
    RtTgsigqueueinfo = SYS_rt_tgsigqueueinfo, Always;
    PidfdSendSignal = SYS_pidfd_send_signal, Always;
    RtSigtimedwait = SYS_rt_sigtimedwait, Always;
    RtSigsuspend = SYS_rt_sigsuspend, Always;
    #[cfg(target_arch = "x86_64")] Pause = SYS_pause, Always;
    // The first calls of a program or of a thread.
    #[cfg(target_arch = "x86_64")] ArchPrctl = SYS_arch_prctl, Always;
    SetTidAddress = SYS_set_tid_address, Always;
    SetRobustList = SYS_set_robust_list, Always;
    Gettid = SYS_gettid, Always;
}
