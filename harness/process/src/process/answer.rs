use super::{Answer, Process, Question, error};
use crate::call::Call;
use crate::error::RunError;

impl Process {
    /// Answers a call.
    pub(super) fn answer(&mut self, question: &Question) -> Result<Answer, RunError> {
        Ok(match question.call {
            Call::ClockGettime
            | Call::Gettimeofday
            | Call::Time
            | Call::Times
            | Call::Getrusage
            | Call::Nanosleep
            | Call::ClockNanosleep
            | Call::TimerfdCreate
            | Call::TimerfdSettime
            | Call::TimerfdGettime => self.answer_time(question)?,
            Call::Alarm
            | Call::Setitimer
            | Call::Getitimer
            | Call::TimerCreate
            | Call::TimerSettime
            | Call::TimerGettime
            | Call::TimerGetoverrun
            | Call::TimerDelete => self.answer_signal_timer(question),
            Call::EpollCreate
            | Call::EpollCreate1
            | Call::EpollWait
            | Call::EpollPwait
            | Call::EpollPwait2
            | Call::EpollCtl
            | Call::Poll
            | Call::Ppoll
            | Call::Select
            | Call::Pselect6
            | Call::SchedYield => self.answer_wait(question)?,
            Call::Futex => self.answer_futex(question),
            Call::FutexWaitv | Call::IoUringSetup | Call::Signalfd | Call::Signalfd4 => {
                self.report_unsupported(question.call.name());
                error(libc::ENOSYS)
            }
            Call::Socketpair
            | Call::Pipe
            | Call::Pipe2
            | Call::Eventfd
            | Call::Eventfd2
            | Call::Open
            | Call::Openat
            | Call::Dup
            | Call::Dup2
            | Call::Dup3
            | Call::Fcntl
            | Call::Close
            | Call::CloseRange
            | Call::Read
            | Call::Readv
            | Call::Recvfrom
            | Call::Recvmsg
            | Call::Write
            | Call::Writev
            | Call::Sendto
            | Call::Sendmsg
            | Call::Sendmmsg
            | Call::Sendfile
            | Call::Getrandom => self.answer_file(question)?,
            Call::Socket
            | Call::Connect
            | Call::Accept
            | Call::Accept4
            | Call::Bind
            | Call::Listen
            | Call::Getsockname
            | Call::Getpeername
            | Call::Setsockopt
            | Call::Getsockopt
            | Call::Shutdown => self.answer_socket(question)?,
            Call::Clone
            | Call::Clone3
            | Call::Fork
            | Call::Vfork
            | Call::Execve
            | Call::Execveat
            | Call::Exit
            | Call::ExitGroup
            | Call::Wait4
            | Call::Waitid => self.answer_task(question)?,
            Call::Kill
            | Call::Tkill
            | Call::Tgkill
            | Call::RtSigqueueinfo
            | Call::RtTgsigqueueinfo
            | Call::PidfdSendSignal
            | Call::RtSigtimedwait
            | Call::RtSigsuspend
            | Call::Pause => self.answer_signal(question),
            Call::ArchPrctl | Call::SetTidAddress | Call::SetRobustList | Call::Gettid => Answer::GoOn,
        })
    }
}
