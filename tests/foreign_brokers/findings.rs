//! `programs/findings`: what was found in programs of others, a scenario for each. It passes with the project's own programs, and
//! fails with the one that the name of its file begins with.

use std::fs;
use std::path::Path;
use std::process::Output;

use libtest_mimic::{Failed, Trial};

use super::broken::no_aedes;
use super::clients::{missing_of_rust, other_gmqtt, other_libmosquitto, run};
use super::{Result, contains, root, text, trial};

/// The programs that `tests/interop/install` brings in, and the side that each is.
const INSTALLED: [(&str, &str); 10] = [
    ("aedes", "--broker"),
    ("gmqtt", "--client"),
    ("libmosquitto", "--client"),
    ("mosquitto", "--broker"),
    ("mqttjs", "--client"),
    ("nats", "--broker"),
    ("paho", "--client"),
    ("rumqttc", "--client"),
    ("rumqttd", "--broker"),
    ("rumqttd5", "--broker"),
];

/// The programs that it does not bring in, whose findings no test looks for.
const NOT_INSTALLED: [&str; 4] = ["activemq", "amqtt", "ejabberd", "rabbitmq"];

/// The tests, of which those of a program may lack it in the version that the findings are about.
pub(super) fn trials(
    no_programs: Option<&'static str>,
    mosquitto: Option<&str>,
    nats: Option<&str>,
    paho: Option<&str>,
    mqttjs: Option<&str>,
) -> Vec<Trial> {
    let missing = |program| match program {
        "aedes" => no_programs.or(no_aedes()),
        "gmqtt" => no_programs.or(other_gmqtt()),
        "libmosquitto" => no_programs.or(other_libmosquitto()),
        "mosquitto" => mosquitto,
        "mqttjs" => mqttjs,
        "nats" => nats,
        "paho" => paho,
        "rumqttc" => no_programs.or(missing_of_rust("rumqttc_adapter")),
        _ => no_programs.or(missing_of_rust("rumqttd")),
    };
    let of_programs = INSTALLED.map(|(program, option)| {
        let name = format!("findings_in_{program}_are_still_there");
        trial(&name, missing(program), move |_| findings(program, option))
    });
    let of_all = [
        trial("findings_are_none_of_the_projects_own_programs", None, of_none),
        trial("findings_are_of_programs_that_are_known", None, of_known),
    ];
    of_all.into_iter().chain(of_programs).collect()
}

fn of_none(_: &Path) -> Result {
    contains(&run(&["programs/findings"])?, 0, &[" ok; "])
}

fn of_known(_: &Path) -> Result {
    for name in names()? {
        let program = name.split('_').next().unwrap_or_default();
        if !INSTALLED.iter().any(|(known, _)| *known == program) && !NOT_INSTALLED.contains(&program) {
            return Err(format!("no test looks for {name}").into());
        }
    }
    Ok(())
}

fn findings(program: &str, option: &str) -> Result {
    let of_program = format!("{program}_");
    let names: Vec<String> = names()?.into_iter().filter(|name| name.starts_with(&of_program)).collect();
    for name in &names {
        let output = run(&[&format!("programs/findings/{name}"), option, program])?;
        fails(&output).map_err(|why| format!("{name}: {why:?}"))?;
    }
    if names.is_empty() { Err(format!("there is no finding in {program}").into()) } else { Ok(()) }
}

/// Returns the names of the files of all findings.
fn names() -> std::result::Result<Vec<String>, Failed> {
    let entries = fs::read_dir(root().join("programs/findings"))?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn fails(output: &Output) -> std::result::Result<(), Failed> {
    match output.status.code() {
        Some(1) => Ok(()),
        _ => Err(format!("ended with {}, not 1:\n{}", output.status, text(output)).into()),
    }
}
