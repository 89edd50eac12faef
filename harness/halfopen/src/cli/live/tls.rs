//! TLS between the node that stands for a broker and the broker, so that the faults of a scenario meet plain MQTT.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};
use tokio_rustls::{TlsConnector, rustls};

use super::running::PATIENCE;
use crate::world::{RemoteStream, connect_by_tcp};

/// The demands on the certificate of a broker: the host it is for, and the authorities that may have signed it.
#[derive(Clone)]
pub(super) struct Tls {
    connector: TlsConnector,
    host: ServerName<'static>,
}

impl Tls {
    /// Trusts the certificates of a file, or of this machine, for a broker at a host.
    ///
    /// # Errors
    /// If there is no TLS on this machine, no such host can have a certificate, or there is none to be trusted.
    pub(super) fn new(host: &str, ca: Option<&Path>) -> Result<Self, String> {
        Self::trusting(ca.map_or_else(machine_roots, roots_of)?, host)
    }

    fn trusting(roots: RootCertStore, host: &str) -> Result<Self, String> {
        let provider = Arc::new(provider()?);
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| format!("`{host}` is no name that a certificate could be for"))?;
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), host: name })
    }

    /// Opens TLS on a connection.
    ///
    /// # Errors
    /// If it fails, with what is to be done.
    pub(super) async fn open(&self, stream: TcpStream) -> io::Result<TlsConnection> {
        match timeout(PATIENCE, self.connector.connect(self.host.clone(), stream)).await {
            Ok(Ok(stream)) => Ok(TlsConnection(stream)),
            Ok(Err(error)) => match Self::explain(&error) {
                Some(why) => Err(io::Error::other(why)),
                None => Err(io::Error::other(format!("it closes the connection during the handshake: {NO_TLS}"))),
            },
            Err(_) => Err(io::Error::other(format!("no answer to the handshake within {PATIENCE:?}: {NO_TLS}"))),
        }
    }

    /// Returns whether what listens at an address presents a certificate; any signature will do.
    pub(super) async fn is_spoken_at(address: SocketAddr) -> bool {
        let (Ok(nobody), Ok(stream)) =
            (Self::trusting(RootCertStore::empty(), &address.ip().to_string()), connect_by_tcp(address).await)
        else {
            return false;
        };
        let refused = timeout(PATIENCE, nobody.connector.connect(nobody.host.clone(), stream)).await;
        let error = refused.ok().and_then(Result::err);
        error.is_some_and(|error| matches!(of_tls(&error), Some(Error::InvalidCertificate(_))))
    }

    /// Returns what a failure of TLS means, and what is to be done; nothing if it is no failure of TLS.
    pub(super) fn explain(error: &io::Error) -> Option<String> {
        Some(match of_tls(error)? {
            Error::InvalidCertificate(error) => of_certificate(error),
            Error::InvalidMessage(_) => format!("what it answers is no TLS: {NO_TLS}"),
            Error::AlertReceived(AlertDescription::CertificateRequired) => {
                "it demands a certificate of its clients, and those of halfopen have none: give it a listener without"
                    .to_owned()
            }
            Error::AlertReceived(alert) => format!("it refuses TLS with the alert {alert:?}"),
            other => format!("TLS fails: {other}"),
        })
    }
}

fn of_tls(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

const NO_TLS: &str = "does it speak TLS on this port? Without TLS its address is written `tcp://HOST:PORT`";

/// Returns what is wrong with a certificate, and what is to be done.
fn of_certificate(error: &CertificateError) -> String {
    let days = |from: rustls::pki_types::UnixTime, to: rustls::pki_types::UnixTime| {
        to.as_secs().saturating_sub(from.as_secs()).div_ceil(24 * 60 * 60)
    };
    match error {
        CertificateError::UnknownIssuer => "nobody who is trusted here has signed its certificate: give that of its \
                                            certificate authority in `--ca FILE`, as PEM"
            .to_owned(),
        CertificateError::ExpiredContext { time, not_after } => {
            format!("its certificate expired {} days ago: it needs a new one", days(*not_after, *time))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            let days = days(*time, *not_before);
            format!("its certificate is not valid yet, but in {days} days: is the clock of this machine right?")
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            // As rustls writes them: `DnsName("localhost")`, `IpAddress(127.0.0.1)`.
            let bare = |name: &String| {
                let inside = name.split_once('(').map_or(name.as_str(), |(_, inside)| inside);
                inside.trim_end_matches(')').trim_matches('"').to_owned()
            };
            let names: Vec<String> = presented.iter().map(bare).collect();
            format!(
                "its certificate is not for `{}`, but for {}: name the broker by a name that its certificate has",
                expected.to_str(),
                if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") }
            )
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is that of a certificate authority (CA:TRUE), which must not stand for a server: sign one for \
             the server with it, and give this one in `--ca FILE`"
                .to_owned()
        }
        other => format!("its certificate is not accepted: {other}"),
    }
}

/// Returns the cryptography, which needs certain instructions.
///
/// # Errors
/// If this processor does not have them.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn provider() -> Result<CryptoProvider, String> {
    match graviola::util::is_cpu_supported() {
        true => Ok(rustls_graviola::default_provider()),
        false => Err("TLS needs a processor with AES instructions (and AVX2 on x86-64)".to_owned()),
    }
}

/// Returns no cryptography.
///
/// # Errors
/// Always.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn provider() -> Result<CryptoProvider, String> {
    Err("there is TLS on x86-64 and aarch64 alone".to_owned())
}

/// Returns the certificates of a file.
fn roots_of(path: &Path) -> Result<RootCertStore, String> {
    let wrong = |why: String| format!("--ca {}: {why}", path.display());
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("it has no certificate, which begins with `-----BEGIN CERTIFICATE-----`".to_owned()));
    }
    Ok(roots)
}

/// Returns the certificates that this machine trusts.
fn machine_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    // One that is broken is not trusted, and the others are.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("this machine has no certificates that it trusts: give one in `--ca FILE`, as PEM".to_owned());
    }
    Ok(roots)
}

/// A connection with TLS. An end of TCP without the end of TLS before it is an end, as it is without TLS.
pub(super) struct TlsConnection(TlsStream<TcpStream>);

impl RemoteStream for TlsConnection {
    fn reset_when_dropped(&self) {
        self.0.get_ref().0.reset_when_dropped();
    }
}

impl AsyncRead for TlsConnection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.0).poll_read(cx, buffer)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            other => Poll::Ready(other),
        }
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
