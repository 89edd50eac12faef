//! `halfopen run --live` with TLS and with passwords, against Mosquitto with certificates that are made here.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use graviola::hashing::Sha256;
use graviola::signing::ecdsa::{P256, SigningKey as Ecdsa};
use libtest_mimic::{Failed, Trial};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyIdMethod, PublicKeyData, SignatureAlgorithm,
    SigningKey,
};

use super::live::Mosquitto;
use super::{Result, SYSTEM_PATH, command, contains, trial};

/// The tests, all of which need Mosquitto.
pub(super) fn trials(no_mosquitto: Option<&'static str>) -> Vec<Trial> {
    vec![
        trial("tls_and_a_password_carry_scenarios_and_faults_to_a_broker", no_mosquitto, carried),
        trial("what_is_wrong_with_a_certificate_is_said_with_what_to_do", no_mosquitto, certificates),
        trial("tls_on_one_side_alone_is_said_with_what_to_do", no_mosquitto, one_sided),
        trial("a_login_that_the_broker_refuses_is_said_before_anything_runs", no_mosquitto, logins),
    ]
}

/// A key of ECDSA, with its public half as certificates have it.
struct Key(Ecdsa<P256>, Vec<u8>);

impl Key {
    fn new() -> std::result::Result<Self, Failed> {
        let key = Ecdsa::generate().map_err(debug)?;
        let mut buffer = [0; 256];
        let spki = key.to_spki_der(&mut buffer).map_err(debug)?;
        // The point at its end: one byte for its form, and two coordinates.
        let point = spki[spki.len() - 65..].to_vec();
        Ok(Self(key, point))
    }

    fn write(&self, path: &Path) -> Result {
        let mut buffer = [0; 256];
        let der = self.0.to_pkcs8_der(&mut buffer).map_err(debug)?;
        Ok(fs::write(path, pem("PRIVATE KEY", der))?)
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.1
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, rcgen::Error> {
        let mut signature = [0; 128];
        let signed = self.0.sign_asn1::<Sha256>(&[message], &mut signature);
        signed.map(<[u8]>::to_vec).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

fn debug(error: impl std::fmt::Debug) -> Failed {
    format!("{error:?}").into()
}

fn pem(kind: &str, der: &[u8]) -> String {
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", BASE64_STANDARD.encode(der))
}

fn params(name: &str, host: &[&str]) -> std::result::Result<CertificateParams, Failed> {
    let hosts: Vec<String> = host.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(1.into());
    params.key_identifier_method = KeyIdMethod::PreSpecified(name.as_bytes().to_vec());
    Ok(params)
}

/// A certificate authority, whose certificate stands in a file.
struct Authority(Issuer<'static, Key>, String);

impl Authority {
    fn new(folder: &Path, name: &str) -> std::result::Result<Self, Failed> {
        let (key, mut params) = (Key::new()?, params(name, &[])?);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let path = folder.join(format!("{name}.pem"));
        fs::write(&path, pem("CERTIFICATE", params.self_signed(&key)?.der()))?;
        key.write(&folder.join(format!("{name}.key")))?;
        Ok(Self(Issuer::new(params, key), path.display().to_string()))
    }

    /// Writes a certificate of a broker, and its key, into files of this name.
    fn sign(&self, folder: &Path, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Result {
        let (key, mut params) = (Key::new()?, params(name, &["localhost"])?);
        change(&mut params);
        key.write(&folder.join(format!("{name}.key")))?;
        Ok(fs::write(folder.join(format!("{name}.pem")), pem("CERTIFICATE", params.signed_by(&key, &self.0)?.der()))?)
    }
}

/// Starts Mosquitto with the certificate of this name, and more lines of configuration.
fn start(folder: &Path, name: &str, more: &str) -> std::result::Result<Mosquitto, Failed> {
    let at = folder.display();
    let text = format!("listener {{port}}\ncertfile {at}/{name}.pem\nkeyfile {at}/{name}.key\nuser root\n{more}\n");
    Mosquitto::configured(&folder.join("mosquitto.conf"), &text)
}

const ANYBODY: &str = "allow_anonymous true";

/// The scenarios that Mosquitto passes, with a fault that is armed on a packet inside of TLS.
const STORY: &str = "
clients:
  a: { keep_alive: 60s, subscribe: [{ filter: news, qos: 1 }] }
  b: { keep_alive: 60s, clean: false, reconnect: { min: 200ms, max: 200ms } }
steps:
  - wait: 500ms
  - network: { reset: { link: b <-> broker, starting_with: PUBACK } }
  - b: { publish: { topic: news, payload: again, qos: 1 } }
until: 4s
expect:
  - b: { receives: CONNACK, count: 2 }
  - b: { sends: { PUBLISH: { dup: true } }, count: 1 }
  - a: { delivers: { payload: again }, count: 2 }
";

fn carried(folder: &Path) -> Result {
    let authority = Authority::new(folder, "authority")?;
    authority.sign(folder, "broker", |_| ())?;
    let passwords = folder.join("passwords");
    passwords_of(&passwords, "me", "secret")?;
    let broker = start(folder, "broker", &format!("allow_anonymous false\npassword_file {}", passwords.display()))?;
    let scenario = folder.join("story.yaml");
    fs::write(&scenario, STORY)?;
    let scenario = scenario.display().to_string();
    let target = format!("mqtts://localhost:{}", broker.1);
    let args = [
        &scenario,
        "scenarios/conformance/aliases_to_a_client.yaml",
        "--live",
        &target,
        "--ca",
        &authority.1,
        "--user",
        "me",
    ];
    let output = command(&args).env("HALFOPEN_PASSWORD", "secret").output()?;
    contains(&output, 0, &["connections to the broker took up to", "5 ok"])?;
    let (target, file) = (format!("tcp://localhost:{}", broker.1), folder.join("password"));
    fs::write(&file, "secret\n")?;
    let file = file.display().to_string();
    let args = [&scenario, "--live", &target, "--tls", "--ca", &authority.1, "--user", "me", "--password-file", &file];
    contains(&command(&args).output()?, 0, &["2 ok"])
}

/// Writes a file with the passwords of Mosquitto.
fn passwords_of(path: &Path, user: &str, password: &str) -> Result {
    let mut tool = Command::new("mosquitto_passwd");
    tool.arg("-b").arg("-c").arg(path).args([user, password]).env("PATH", SYSTEM_PATH);
    match tool.output()?.status.success() {
        true => Ok(()),
        false => Err("mosquitto_passwd failed".into()),
    }
}

fn refused(args: &[&str], parts: &[&str]) -> Result {
    contains(&command(&[&["scenarios/connect", "--live"], args].concat()).output()?, 2, parts)
}

fn certificates(folder: &Path) -> Result {
    let (ours, other) = (Authority::new(folder, "ours")?, Authority::new(folder, "other")?);
    ours.sign(folder, "good", |_| ())?;
    ours.sign(folder, "old", |params| params.not_after = rcgen::date_time_ymd(2001, 1, 1))?;
    ours.sign(folder, "new", |params| params.not_before = rcgen::date_time_ymd(2900, 1, 1))?;
    let says = |name: &str, host: &str, ca: &str, part: &str| {
        let broker = start(folder, name, ANYBODY)?;
        let target = format!("mqtts://{host}:{}", broker.1);
        refused(&[&target, "--ca", ca], &[&format!("--live {target}: "), part])
    };
    says("good", "localhost", &other.1, "nobody who is trusted here has signed its certificate")?;
    says("good", "127.0.0.1", &ours.1, "is not for `127.0.0.1`, but for localhost")?;
    says("old", "localhost", &ours.1, "its certificate expired ")?;
    says("new", "localhost", &ours.1, "is not valid yet")?;
    says("ours", "localhost", &ours.1, "is that of a certificate authority (CA:TRUE)")?;
    let key = folder.join("good.key").display().to_string();
    says("good", "localhost", &key, "it has no certificate, which begins with `-----BEGIN CERTIFICATE-----`")?;
    says("good", "localhost", "no/such.pem", "--ca no/such.pem: ")
}

fn one_sided(folder: &Path) -> Result {
    let authority = Authority::new(folder, "authority")?;
    authority.sign(folder, "broker", |_| ())?;
    let encrypted = start(folder, "broker", ANYBODY)?;
    let plain = Mosquitto::configured(&folder.join("plain.conf"), "listener {port}\nallow_anonymous true\n")?;
    let target = format!("tcp://localhost:{}", encrypted.1);
    refused(&[&target], &["it speaks TLS on this port: add `--tls`"])?;
    let target = format!("mqtts://localhost:{}", plain.1);
    refused(&[&target, "--ca", &authority.1], &["does it speak TLS on this port?"])?;
    refused(&[&format!("tcp://localhost:{}", plain.1), "--ca", &authority.1], &["`--ca` is for TLS: add `--tls`"])?;
    refused(&["mosquitto", "--tls"], &["`--tls` and `--ca` are for a broker that runs already"])?;
    let demanding = format!("{ANYBODY}\nrequire_certificate true\ncafile {}", authority.1);
    for version in ["tlsv1.3", "tlsv1.2"] {
        let broker = start(folder, "broker", &format!("{demanding}\ntls_version {version}"))?;
        let target = format!("mqtts://localhost:{}", broker.1);
        refused(&[&target, "--ca", &authority.1], &["demands a certificate of its clients"])?;
    }
    Ok(())
}

fn logins(folder: &Path) -> Result {
    let passwords = folder.join("passwords");
    passwords_of(&passwords, "me", "secret")?;
    let text = format!("listener {{port}}\nallow_anonymous false\npassword_file {}\nuser root\n", passwords.display());
    let broker = Mosquitto::configured(&folder.join("mosquitto.conf"), &text)?;
    let target = format!("tcp://127.0.0.1:{}", broker.1);
    refused(&[&target], &["it refuses a client without user name", "give `--user`"])?;
    refused(&[&target, "--user", "me"], &["it refuses the user `me` with no password"])?;
    refused(&[&target, "--user", "me", "--password", "guess"], &["it refuses the user `me` with this password"])?;
    let at = format!("tcp://me:secret@127.0.0.1:{}", broker.1);
    refused(&[&at], &["a user name is given with `--user`"])
}
