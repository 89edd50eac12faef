//! Two network namespaces whose only link is this process: it carries every packet, or does not.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::case::{End, GIVE_UP, Way};

pub(crate) const PORT: u16 = 1883;

/// Returns the address of a host.
pub(crate) fn address(end: End) -> Ipv4Addr {
    match end {
        End::Client => Ipv4Addr::new(10, 77, 0, 1),
        End::Server => Ipv4Addr::new(10, 77, 0, 2),
    }
}

/// A host: a network namespace that a child process keeps, and its TUN device.
pub(crate) struct Host {
    holder: Child,
    device: tun::Device,
}

impl Host {
    /// Creates a host with the sysctls of the cases.
    pub(crate) fn new(end: End) -> io::Result<Self> {
        let mut command = Command::new("unshare");
        command.args(["--net", "--", "sh", "-c", "echo ready; exec sleep 600"]);
        let mut holder = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
        let mut ready = [0; 6];
        io::Read::read_exact(holder.stdout.as_mut().expect("it is piped"), &mut ready)?;
        let device = enter(&holder, || {
            std::fs::write("/proc/sys/net/ipv4/tcp_syn_retries", "3")?;
            // Since 6.5 Linux repeats the first four SYNs once a second. Before, and elsewhere, the time-out doubles.
            let linear = Path::new("/proc/sys/net/ipv4/tcp_syn_linear_timeouts");
            if linear.exists() {
                std::fs::write(linear, "0")?;
            }
            std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")?;
            let mut settings = tun::Configuration::default();
            let peer = address(if end == End::Client { End::Server } else { End::Client });
            settings
                .tun_name("wire")
                .address(address(end))
                .destination(peer)
                .netmask((255, 255, 255, 0))
                .mtu(1500)
                .up();
            let device = tun::create(&settings).map_err(io::Error::other)?;
            device.set_nonblock()?;
            Ok(device)
        })?;
        Ok(Self { holder, device })
    }

    /// Runs `work` in the host's namespace. Sockets that it makes belong there for good.
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        enter(&self.holder, work)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A namespace is a property of a thread, so that another one enters it and ends.
fn enter<T: Send>(holder: &Child, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let namespace = File::open(format!("/proc/{}/ns/net", holder.id()))?;
    let work = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        work()
    };
    std::thread::scope(|scope| scope.spawn(work).join().expect("no panic"))
}

/// What the path does to packets.
#[derive(Default)]
pub(crate) struct Wire {
    /// Ends that packets do not reach.
    pub(crate) cut: BTreeSet<End>,
    /// Ends that the packets of connections from these ports do not reach.
    pub(crate) forgotten: BTreeSet<(End, u16)>,
    /// The client's port and the next sequence number towards each end, of the latest connection.
    latest: Option<(u16, [u32; 2])>,
    /// Ports of all connections that were opened.
    ports: BTreeSet<u16>,
}

impl Wire {
    /// Makes the path forget the connections that exist.
    pub(crate) fn forget(&mut self, way: Way) {
        let ends = End::BOTH.into_iter().filter(|end| way.leads_to(*end));
        self.forgotten.extend(ends.flat_map(|end| self.ports.iter().map(move |port| (end, *port))));
    }

    /// Carries every packet that waits at one host to the other.
    pub(crate) fn carry(&mut self, from: Option<&Host>, to: Option<&Host>, towards: End) -> io::Result<()> {
        let Some(from) = from else { return Ok(()) };
        let mut buffer = [0; 2048];
        loop {
            let packet = match from.device.recv(&mut buffer) {
                Ok(count) => &buffer[..count],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let Some((port, is_opening)) = self.look_at(packet, towards) else { continue };
            if is_opening {
                // A path that has forgotten a connection takes a SYN for the first packet of another.
                self.forgotten.retain(|(_, forgotten)| *forgotten != port);
            }
            let is_lost = self.cut.contains(&towards) || self.forgotten.contains(&(towards, port));
            if let Some(to) = to.filter(|_| !is_lost) {
                to.device.send(packet)?;
            }
        }
    }

    /// Takes note of a packet. Returns its client's port, and whether it opens a connection, if it is one of TCP.
    fn look_at(&mut self, packet: &[u8], towards: End) -> Option<(u16, bool)> {
        let sliced = SlicedPacket::from_ip(packet).ok()?;
        let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Tcp(tcp))) = (&sliced.net, &sliced.transport) else {
            return None;
        };
        let _ = ip;
        let port = if towards == End::Server { tcp.source_port() } else { tcp.destination_port() };
        let length = tcp.payload().len() as u32 + u32::from(tcp.syn()) + u32::from(tcp.fin());
        let is_opening = tcp.syn() && towards == End::Server;
        if is_opening {
            self.ports.insert(port);
            self.latest = Some((port, [0; 2]));
        }
        if let Some((latest, next)) = &mut self.latest
            && *latest == port
        {
            next[towards as usize] = tcp.sequence_number().wrapping_add(length);
        }
        Some((port, is_opening))
    }

    /// Returns an RST towards an end, as a middlebox makes it up.
    pub(crate) fn send_rst(&self, to: &Host, towards: End) -> io::Result<()> {
        let (port, next) = self.latest.expect("a connection was opened");
        let (from, ports) = match towards {
            End::Server => (End::Client, (port, PORT)),
            End::Client => (End::Server, (PORT, port)),
        };
        let builder = PacketBuilder::ipv4(address(from).octets(), address(towards).octets(), 64);
        let builder = builder.tcp(ports.0, ports.1, next[towards as usize], 0).rst();
        let mut packet = Vec::new();
        builder.write(&mut packet, &[]).map_err(io::Error::other)?;
        to.device.send(&packet).map(drop)
    }
}

/// How long a socket of a case waits for an answer, as an option of the socket.
pub(crate) fn patience(socket: &socket2::Socket) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(GIVE_UP))
}
