//! Real programs in virtual time. What is not on the machine is ignored by name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use halfopen_process::{Event, Launch, Process, RunError, SocketId, StartError};
use libtest_mimic::{Arguments, Failed, Trial};

type Result = std::result::Result<(), Failed>;

fn main() {
    let args = Arguments::from_args();
    let tools = Tools::new();
    let c = |name: &'static str, test: fn(&Bench, &str) -> Result| {
        let (folder, missing) = (tools.folder.path().to_owned(), tools.missing("cc"));
        trial(name, missing, move || {
            let program = compile(&folder, name.split("::").next().unwrap_or(name))?;
            test(&Bench::new()?, &program)
        })
    };
    let own = |name: &'static str, program: &'static str, test: fn(&Bench, &str) -> Result| {
        trial(name, tools.missing(program), move || test(&Bench::new()?, program))
    };
    let trials = vec![
        c("clocks::show_the_worlds_time_after_each_wait", clocks),
        c("clocks::are_the_same_in_a_second_run", clocks_again),
        c("echo::serves_and_closes_a_silent_connection_at_its_time", echo),
        c("echo::sees_fin_and_rst_as_linux_says_them", echo_ends),
        c("connect::succeeds_and_is_reset", connects),
        c("connect::is_refused_and_times_out", connect_fails),
        c("family::of_processes_waits_for_pipes_and_children", family),
        c("signals::come_at_their_times", signals),
        c("threads::hand_on_by_futexes_eventfds_and_timers", threads),
        c("random::is_the_seeds", random),
        c("spins::is_reported", spins),
        c("ticks::go_on_by_themselves_under_a_lease", ticks),
        c("clocks::nothing_is_left_of_a_program_that_is_dropped", dropped),
        own("python::threads_and_subprocesses_take_no_time", "python3", python),
        own("python::polling_for_ever_is_reported", "python3", polls),
        own("python::polling_for_a_time_ends", "python3", polls_for_a_time),
        own("python::waiting_for_one_child_of_two", "python3", waits_for_one),
        own("python::a_socket_reaches_a_listener_of_its_own_program", "python3", loopback),
        own("node::timers_and_workers_take_no_time", "node", node),
        own("mosquitto::closes_a_silent_client_at_95_s", "mosquitto", mosquitto),
        own("mosquitto::is_the_same_for_hours_with_and_without_a_lease", "mosquitto", mosquitto_for_long),
        own("sh::a_command_that_is_not_there_is_refused", "sh", not_there),
        own("sh::a_file_that_is_no_program_says_so", "sh", no_program),
    ];
    libtest_mimic::run(&args, trials).exit();
}

fn trial(name: &str, missing: Option<String>, test: impl FnOnce() -> Result + Send + 'static) -> Trial {
    match missing {
        None => Trial::test(name, test),
        Some(what) if std::env::var_os("HALFOPEN_INTEROP").is_some_and(|value| value == "required") => {
            Trial::test(name, move || Err(format!("{what} is required and missing").into()))
        }
        Some(what) => Trial::test(format!("{name} (no {what})"), || Ok(())).with_ignored_flag(true),
    }
}

struct Tools {
    folder: tempfile::TempDir,
    has_seccomp: bool,
}

impl Tools {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let launch = Launch::new("/bin/true", folder.path());
        let has_seccomp = !matches!(Process::start(&launch), Err(StartError::Filter(_) | StartError::Memory(_)));
        Self { folder, has_seccomp }
    }

    fn missing(&self, program: &str) -> Option<String> {
        if !self.has_seccomp {
            return Some("seccomp user notification".to_owned());
        }
        let launch = Launch::new(real(program), self.folder.path());
        launch.find().is_err().then(|| program.to_owned())
    }
}

/// Past the shims of version managers, which are shell scripts that search for long.
fn real(program: &str) -> PathBuf {
    match program {
        "python3" if Path::new("/usr/bin/python3").exists() => "/usr/bin/python3".into(),
        other => other.into(),
    }
}

fn compile(folder: &Path, name: &str) -> std::result::Result<String, Failed> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name).with_extension("c");
    let program = folder.join(format!("{name}-{:?}", std::thread::current().id()).replace(['(', ')'], ""));
    let output = Command::new("cc").args(["-O1", "-w", "-pthread", "-o"]).arg(&program).arg(source).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(program.to_string_lossy().into_owned())
}

/// A folder to run programs in.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> std::result::Result<Self, Failed> {
        Ok(Self { folder: tempfile::tempdir()? })
    }

    fn launch(&self, program: &str, args: &[&str]) -> Launch {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Launch { args, ..Launch::new(real(program), self.folder.path()) }
    }

    fn start(&self, program: &str, args: &[&str]) -> std::result::Result<World, Failed> {
        Ok(World::new(Process::start(&self.launch(program, args))?))
    }
}

/// A world of one program: what it does is written down with its time.
struct World {
    process: Process,
    now: Duration,
    log: Vec<String>,
    output: Vec<u8>,
    listener: Option<SocketId>,
    connecting: Option<SocketId>,
    has_lease: bool,
}

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

impl World {
    fn new(process: Process) -> Self {
        let (log, output) = (Vec::new(), Vec::new());
        Self { process, now: Duration::ZERO, log, output, listener: None, connecting: None, has_lease: true }
    }

    /// Lets the time pass up to `end`, or until the program has ended.
    fn pass(&mut self, end: Duration) -> std::result::Result<(), Failed> {
        let mut fire = false;
        while !self.process.has_exited() {
            let quiet = Some(end).filter(|_| fire && self.has_lease);
            let events = self.process.run(self.now, fire, quiet)?;
            self.now = self.now.max(self.process.now());
            for event in events {
                self.note(event);
            }
            if !fire {
                fire = true;
                continue;
            }
            match self.process.deadline().filter(|deadline| *deadline < end) {
                Some(deadline) => self.now = self.now.max(deadline),
                None => break,
            }
        }
        if !self.process.has_exited() {
            self.now = end;
        }
        Ok(())
    }

    fn note(&mut self, event: Event) {
        let line = match event {
            Event::Output(bytes) => return self.output.extend(bytes),
            Event::Listens { socket, at } => {
                self.listener = Some(socket);
                format!("listens at {at}")
            }
            Event::Connects { socket, to } => {
                self.connecting = Some(socket);
                format!("connects to {to}")
            }
            Event::Sent { bytes, .. } => format!("sent {}", bytes.escape_ascii()),
            Event::Finished { closed, .. } => format!("finished, closed: {closed}"),
            Event::Aborted { .. } => "aborted".to_owned(),
            Event::StoppedListening { .. } => "stopped listening".to_owned(),
            Event::Unsupported(what) => format!("unsupported: {what}"),
            Event::Exited(status) => format!("exited: {status}"),
        };
        self.log.push(format!("{:.3} {line}", self.now.as_secs_f64()));
    }

    fn arrive(&mut self) -> std::result::Result<SocketId, Failed> {
        let listener = self.listener.ok_or("it does not listen")?;
        self.process.arrive(listener, ([10, 0, 0, 2], 40_001).into()).ok_or_else(|| "nobody listens".into())
    }

    fn output(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    fn expect(&self, log: &[&str], output: &str) -> Result {
        equal(&self.log.join("\n"), &log.join("\n"))?;
        equal(self.output().trim_end(), output.trim_end())
    }
}

#[track_caller]
fn equal(found: &str, expected: &str) -> Result {
    if found == expected { Ok(()) } else { Err(format!("found:\n{found}\nexpected:\n{expected}").into()) }
}

const CLOCKS: &str = "\
start 1000.000000000 1893456000.000000 1893456000
sleep 1005.000000000 1893456005.000000 1893456005
poll 1006.500000000 1893456006.500000 1893456006
usleep 1006.500020000 1893456006.500020 1893456006
select 1009.000020000 1893456009.000020 1893456009
hour 4609.000020000 1893459609.000020 1893459609
";

fn clocks(bench: &Bench, program: &str) -> Result {
    let mut world = bench.start(program, &[])?;
    world.pass(S * 10_000)?;
    world.expect(&["3609.000 exited: exit status: 7"], CLOCKS)
}

fn clocks_again(bench: &Bench, program: &str) -> Result {
    for _ in 0..20 {
        clocks(bench, program)?;
    }
    Ok(())
}

fn echo(bench: &Bench, program: &str) -> Result {
    let mut world = bench.start(program, &[])?;
    world.pass(S)?;
    let connection = world.arrive()?;
    world.pass(S * 2)?;
    world.process.receive_bytes(connection, b"hello");
    world.pass(S * 100)?;
    world.expect(
        &["0.000 listens at 0.0.0.0:1883", "2.000 sent hello", "12.000 finished, closed: true"],
        "from 10.0.0.2:40001\nsilent",
    )
}

fn echo_ends(bench: &Bench, program: &str) -> Result {
    let mut world = bench.start(program, &[])?;
    world.pass(S)?;
    let first = world.arrive()?;
    world.process.receive_bytes(first, b"one");
    world.process.receive_fin(first);
    world.pass(S * 2)?;
    let second = world.arrive()?;
    world.pass(S * 3)?;
    world.process.reset(second, libc::ECONNRESET);
    world.pass(S * 4)?;
    let third = world.arrive()?;
    world.pass(S * 5)?;
    world.process.reset(third, libc::ETIMEDOUT);
    world.pass(S * 6)?;
    equal(&world.log.join("\n"), "0.000 listens at 0.0.0.0:1883\n1.000 sent one\n1.000 finished, closed: true")?;
    let output = world.output();
    let ends: Vec<&str> = output.lines().filter(|line| line.starts_with("end")).collect();
    equal(&ends.join("\n"), "end: FIN\nend: Connection reset by peer\nend: Connection timed out")
}

fn connects(bench: &Bench, program: &str) -> Result {
    let mut world = bench.start(program, &[])?;
    world.pass(S)?;
    world.process.connected(world.connecting.ok_or("it does not connect")?, Ok(()));
    world.pass(S * 2)?;
    let second = world.connecting.ok_or("it does not connect")?;
    world.process.connected(second, Ok(()));
    world.pass(S * 3)?;
    world.process.reset(second, libc::ECONNRESET);
    world.pass(S * 4)?;
    world.expect(
        &[
            "0.000 connects to 10.0.0.1:1883",
            "1.000 finished, closed: true",
            "1.000 connects to 10.0.0.1:1883",
            "2.000 sent hello",
            "3.000 exited: exit status: 0",
        ],
        "blocking: open\nat once: Operation now in progress\nthen: open\nread: Connection reset by peer",
    )
}

fn connect_fails(bench: &Bench, program: &str) -> Result {
    let mut world = bench.start(program, &[])?;
    world.pass(S)?;
    world.process.connected(world.connecting.ok_or("it does not connect")?, Err(libc::ECONNREFUSED));
    world.pass(S * 2)?;
    world.process.connected(world.connecting.ok_or("it does not connect")?, Err(libc::ETIMEDOUT));
    world.pass(S * 3)?;
    world.expect(
        &["0.000 connects to 10.0.0.1:1883", "1.000 connects to 10.0.0.1:1883", "2.000 exited: exit status: 0"],
        "blocking: Connection refused\nat once: Operation now in progress\nthen: Connection timed out",
    )
}

fn family(bench: &Bench, program: &str) -> Result {
    for _ in 0..10 {
        let mut world = bench.start(program, &[])?;
        world.pass(S * 100)?;
        world.expect(
            &["11.000 exited: exit status: 0"],
            "2000 read ready\n5000 waited 1, status 5\n6000 system 3\n10000 line from the shell\n\
             11000 children 1, left of 60: 1",
        )?;
        equal(&format!("{:?}", world.process.stats().nondeterminism()), "None")?;
    }
    Ok(())
}

fn signals(bench: &Bench, program: &str) -> Result {
    for _ in 0..10 {
        let mut world = bench.start(program, &[])?;
        world.pass(S * 100)?;
        world.expect(
            &["23.500 exited: exit status: 0"],
            "2000 alarm: -1 Interrupted system call, 1\n4500 alarms 4\n7500 timer 1\n\
             10500 pselect: -1 Interrupted system call, 2\n13500 sigtimedwait 1\n\
             23500 sigtimedwait: Resource temporarily unavailable\n23500 users 3",
        )?;
    }
    Ok(())
}

fn threads(bench: &Bench, program: &str) -> Result {
    for _ in 0..10 {
        let mut world = bench.start(program, &[])?;
        world.pass(S * 100)?;
        world.expect(
            &["5.500 exited: exit status: 0"],
            "250 thread 0\n500 thread 1\n750 thread 2\n1000 thread 3\n1000 event 1\n3000 timed out 1\n\
             3500 timer 1, 1\n4500 timer 1, 1\n5500 timer 1, 1",
        )?;
        equal(&format!("{:?}", world.process.stats().nondeterminism()), "None")?;
    }
    Ok(())
}

fn random(bench: &Bench, program: &str) -> Result {
    let run = |seed| -> std::result::Result<String, Failed> {
        let mut world = World::new(Process::start(&Launch { seed, ..bench.launch(program, &[]) })?);
        world.pass(S)?;
        Ok(world.output())
    };
    let (first, again, other) = (run(1)?, run(1)?, run(2)?);
    equal(&first, &again)?;
    for (one, two) in first.lines().zip(other.lines()) {
        let is_drawn = ["getrandom", "urandom", "auxv"].iter().any(|name| one.starts_with(name));
        if is_drawn == (one == two) {
            return Err(format!("with another seed: {one}, {two}").into());
        }
    }
    if first.lines().count() == 5 && first.contains("device 1") { Ok(()) } else { Err(first.into()) }
}

fn spins(bench: &Bench, program: &str) -> Result {
    let mut world = bench.start(program, &[])?;
    match world.process.run(Duration::ZERO, true, None) {
        Err(RunError::Spins { .. }) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn polls(bench: &Bench, program: &str) -> Result {
    let mut world = bench.start(program, &["-c", "import select; p = select.epoll()\nwhile True: p.poll(0)"])?;
    let mut now = Duration::ZERO;
    loop {
        match world.process.run(now, true, None) {
            Err(RunError::NeverWaits { most: "epoll_wait", .. }) => return Ok(()),
            Ok(_) if now < S => now = world.process.deadline().ok_or("it waits for ever")?,
            other => return Err(format!("{other:?}").into()),
        }
    }
}

/// It polls until its clock has gone on, which takes it calls by the thousand.
fn polls_for_a_time(bench: &Bench, program: &str) -> Result {
    let code = "import select, time; p = select.epoll(); end = time.monotonic() + 0.003\n\
                while time.monotonic() < end: p.poll(0)\nprint('done')";
    let run = || -> std::result::Result<World, Failed> {
        let mut world = bench.start(program, &["-c", code])?;
        world.pass(S)?;
        Ok(world)
    };
    let (first, again) = (run()?, run()?);
    equal(&first.output(), "done\n")?;
    let calls = |world: &World| world.process.stats().notifications.to_string();
    equal(&calls(&first), &calls(&again))
}

/// A child that ends is none that another is waited for.
fn waits_for_one(bench: &Bench, program: &str) -> Result {
    let code = "import subprocess, time\n\
                one, two = (subprocess.Popen(['sleep', s]) for s in '12')\n\
                two.wait(); print(round(time.monotonic() % 1000)); one.wait()";
    let mut world = bench.start(program, &["-c", code])?;
    world.pass(S * 10)?;
    equal(&world.output(), "2\n")?;
    equal(&format!("{:?}", world.process.stats().nondeterminism()), "None")
}

fn ticks(bench: &Bench, program: &str) -> Result {
    let run = |has_lease| -> std::result::Result<World, Failed> {
        let mut world = bench.start(program, &[])?;
        world.has_lease = has_lease;
        world.pass(S + MS)?;
        let connection = world.arrive()?;
        world.pass(S * 10 + MS)?;
        world.process.receive_bytes(connection, b"ping");
        world.pass(S * 20_000)?;
        Ok(world)
    };
    let (with, without) = (run(true)?, run(false)?);
    with.expect(
        &[
            "0.000 listens at 0.0.0.0:1883",
            "2010.001 stopped listening",
            "2010.001 finished, closed: true",
            "2010.001 exited: exit status: 0",
        ],
        &without.output(),
    )?;
    equal(&with.log.join("\n"), &without.log.join("\n"))?;
    let (leased, asked) = (with.process.stats(), without.process.stats());
    if cfg!(target_arch = "x86_64") && (leased.leased < 19_000 || leased.notifications > 1_000) {
        return Err(format!("{leased:?}").into());
    }
    if asked.notifications < 20_000 { Err(format!("{asked:?}").into()) } else { Ok(()) }
}

fn dropped(bench: &Bench, program: &str) -> Result {
    let mut world = bench.start(program, &[])?;
    world.pass(S)?;
    let has_program = || {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes
            .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
            .any(|line| line.starts_with(program.as_bytes()))
    };
    if !has_program() {
        return Err("it does not run".into());
    }
    drop(world);
    if has_program() { Err("it still runs".into()) } else { Ok(()) }
}

const PYTHON: &str = r#"
import subprocess, threading, time
t0 = time.monotonic()
def now(): return round(time.monotonic() - t0, 3)
e = threading.Event()
threading.Timer(7, e.set).start()
e.wait()
print(now(), "timer")
print(now(), subprocess.run(["sh", "-c", "sleep 5; echo done"], capture_output=True, text=True).stdout.strip())
print(now(), "subprocess", flush=True)
"#;

fn python(bench: &Bench, program: &str) -> Result {
    let mut outputs = Vec::new();
    for _ in 0..5 {
        let mut world = bench.start(program, &["-c", PYTHON])?;
        world.pass(S * 100)?;
        outputs.push(world.output());
        equal(&world.log.join("\n"), "12.000 exited: exit status: 0")?;
    }
    equal(&outputs[0], "7.0 timer\n7.0 done\n12.0 subprocess\n")?;
    outputs.iter().try_for_each(|output| equal(output, &outputs[0]))
}

const NODE: &str = r#"
const t0 = Date.now();
const { Worker } = require("worker_threads");
setTimeout(() => {
    console.log(Date.now() - t0, "timer", Math.random());
    require("crypto").randomBytes(4, (_, b) => console.log(b.toString("hex")));
    new Worker("setTimeout(() => {}, 3000)", { eval: true }).on("exit", () => console.log(Date.now() - t0, "worker"));
}, 7000);
"#;

/// As libraries make a pair of sockets where there is no `socketpair`.
const LOOPBACK: &str = "
import select, socket, threading, time
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen(1)
one = socket.socket()
one.setblocking(False)
one.connect(listener.getsockname())
other, address = listener.accept()
assert address == one.getsockname() and one.getpeername() == other.getsockname()
def wake():
    time.sleep(5)
    one.send(b'x')
    time.sleep(5)
    one.close()
threading.Thread(target=wake).start()
start = time.monotonic()
for _ in range(2):
    select.select([other], [], [])
    print(round(time.monotonic() - start, 3), other.recv(1), flush=True)
";

fn loopback(bench: &Bench, program: &str) -> Result {
    let mut world = bench.start(program, &["-c", LOOPBACK])?;
    world.pass(S * 100)?;
    equal(&world.output(), "5.0 b'x'\n10.0 b''\n")
}

fn node(bench: &Bench, program: &str) -> Result {
    let mut outputs = Vec::new();
    for _ in 0..3 {
        let mut world = bench.start(program, &["-e", NODE])?;
        world.pass(S * 100)?;
        outputs.push(world.output());
    }
    if !outputs[0].starts_with("7000 timer") || !outputs[0].contains("worker") {
        return Err(outputs.concat().into());
    }
    outputs.iter().try_for_each(|output| equal(output, &outputs[0]))
}

fn mosquitto_world(bench: &Bench, has_lease: bool, keep_alive: u16) -> std::result::Result<World, Failed> {
    fs::write(
        bench.folder.path().join("mosquitto.conf"),
        "listener 1883 0.0.0.0\nallow_anonymous true\nlog_type all\n",
    )?;
    let mut world = bench.start("mosquitto", &["-c", "mosquitto.conf"])?;
    world.has_lease = has_lease;
    world.pass(S + MS)?;
    let connection = world.arrive()?;
    let [high, low] = keep_alive.to_be_bytes();
    let connect = [&[0x10, 13, 0, 4], &b"MQTT"[..], &[4, 2, high, low, 0, 1, b'a']].concat();
    world.process.receive_bytes(connection, &connect);
    world.pass(S * 100_000)?;
    Ok(world)
}

fn mosquitto(bench: &Bench, _: &str) -> Result {
    for _ in 0..10 {
        let world = mosquitto_world(bench, true, 60)?;
        equal(
            &world.log.join("\n"),
            "0.000 listens at 0.0.0.0:1883\n1.001 sent  \\x02\\x00\\x00\n96.001 finished, closed: true",
        )?;
    }
    Ok(())
}

fn mosquitto_for_long(bench: &Bench, _: &str) -> Result {
    let with = mosquitto_world(bench, true, 65_535)?;
    let stats = with.process.stats();
    if with.log.len() != 3 || !with.log[2].starts_with("98304.0") || stats.leased < 900_000 {
        return Err(format!("{stats:?}\n{}", with.log.join("\n")).into());
    }
    let (with, without) = (mosquitto_world(bench, true, 1_000)?, mosquitto_world(bench, false, 1_000)?);
    equal(&with.log.join("\n"), &without.log.join("\n"))?;
    equal(&with.output(), &without.output())
}

fn not_there(bench: &Bench, _: &str) -> Result {
    match Process::start(&bench.launch("no-such-program", &[])) {
        Err(StartError::NotFound(program)) => equal(&program.to_string_lossy(), "no-such-program"),
        other => Err(format!("{other:?}").into()),
    }
}

fn no_program(bench: &Bench, _: &str) -> Result {
    use std::os::unix::fs::PermissionsExt;
    let path = bench.folder.path().join("text");
    fs::write(&path, "no program\n")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    let mut world = bench.start(&path.to_string_lossy(), &[])?;
    world.pass(S)?;
    let error = world.process.exec_error().ok_or("it was executed")?;
    equal(&error.to_string(), "Exec format error (os error 8)")
}
