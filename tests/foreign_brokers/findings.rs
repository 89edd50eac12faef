//! `programs/findings`: what was found in programs of others, a scenario for each. It passes with the project's own programs, and
//! fails with the one that the name of its file begins with.

use std::fs;
use std::path::Path;
use std::process::Output;

use libtest_mimic::{Failed, Trial};

use super::broken::no_aedes;
use super::clients::{missing_of_rust, run};
use super::{Result, contains, root, text, trial};

/// The tests, of which those of a program may lack it in the version that the findings are about.
pub(super) fn trials(
    no_programs: Option<&'static str>,
    mosquitto: Option<&str>,
    nats: Option<&str>,
    paho: Option<&str>,
    mqttjs: Option<&str>,
) -> Vec<Trial> {
    let rumqttc = no_programs.or(missing_of_rust("rumqttc_adapter"));
    let rumqttd = no_programs.or(missing_of_rust("rumqttd"));
    vec![
        trial("findings_are_none_of_the_projects_own_programs", None, of_none),
        trial("findings_in_mosquitto_are_still_there", mosquitto, |_| findings("mosquitto")),
        trial("findings_in_aedes_are_still_there", no_programs.or(no_aedes()), |_| findings("aedes")),
        trial("findings_in_nats_are_still_there", nats, |_| findings("nats")),
        trial("findings_in_paho_are_still_there", paho, |_| findings("paho")),
        trial("findings_in_mqttjs_are_still_there", mqttjs, |_| findings("mqttjs")),
        trial("findings_in_rumqttc_are_still_there", rumqttc, |_| findings("rumqttc")),
        trial("findings_in_rumqttd_are_still_there", rumqttd, |_| findings("rumqttd")),
        trial("findings_in_rumqttd_with_mqtt_5_are_still_there", rumqttd, |_| findings("rumqttd5")),
    ]
}

fn of_none(_: &Path) -> Result {
    contains(&run(&["programs/findings"])?, 0, &[" ok; "])
}

fn findings(program: &str) -> Result {
    let is_broker = matches!(program, "aedes" | "mosquitto" | "nats" | "rumqttd" | "rumqttd5");
    let option = if is_broker { "--broker" } else { "--client" };
    let mut count = 0;
    for entry in fs::read_dir(root().join("programs/findings"))? {
        let path = entry?.path();
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{program}_"))) {
            continue;
        }
        count += 1;
        let output = run(&[&path.display().to_string(), option, program])?;
        fails(&output).map_err(|why| format!("{}: {why:?}", path.display()))?;
    }
    if count == 0 { Err(format!("there is no finding in {program}").into()) } else { Ok(()) }
}

fn fails(output: &Output) -> std::result::Result<(), Failed> {
    match output.status.code() {
        Some(1) => Ok(()),
        _ => Err(format!("ended with {}, not 1:\n{}", output.status, text(output)).into()),
    }
}
