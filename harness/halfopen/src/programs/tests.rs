use rstest::rstest;

use super::*;
use crate::plan::{BrokerProgram, ClientProgram, ClientSettings, Node, NodeId, Reconnect};
use crate::scenario::{PlanOptions, parse};

#[test]
fn shipped_profiles_have_no_errors() {
    for (name, _) in SHIPPED {
        Profile::find(name).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn all_errors_are_told_at_once_with_their_places() {
    let text = "comand = \"a\"\nrole = \"server\"\nargs = [\"{confg}\"]\nport = 0\nlacks = [\"shared\"]\n\n\
                [settings]\nmax_keepalive = \"x {value}\"\n\n[[closes]]\nbecause = \"keepalive\"\nprints = \"gone\"\n";
    let errors =
        Profile::parse("a", "a.toml", text, &|_| Err(io::ErrorKind::NotFound.into())).expect_err("it is full of them");
    let told: Vec<String> =
        errors.to_string().lines().filter(|line| line.starts_with("a.toml")).map(str::to_owned).collect();
    assert_eq!(
        told,
        [
            "a.toml:1:1: `command` is missing: the program to start",
            "a.toml:1:1: unknown key `comand`; did you mean `command`?",
            "a.toml:2:8: the role of a program is `broker` or `client`",
            "a.toml:3:9: unknown placeholder `{confg}`; did you mean `{config}`?",
            "a.toml:4:8: a port is a number from 1 to 65535",
            "a.toml:5:10: unknown feature `shared`",
            "a.toml:7:1: settings are added to the configuration: a table `[config]` is missing",
            "a.toml:8:1: unknown key `max_keepalive`; did you mean `max_keep_alive`?",
            "a.toml:11:11: unknown cause `keepalive`; did you mean `keep_alive`?",
            "a.toml:12:10: a line is a text with `{client}` once, and something before it",
        ]
    );
}

#[rstest]
#[case::syntax("command = \n", "a.toml:1:11: ")]
#[case::setting(
    "command = \"a\"\n[config]\nfile = \"f\"\ntext = \"\"\n[settings]\nmax_keepalive = \"x\"\n",
    "a.toml:6:1: unknown key `max_keepalive`; did you mean `max_keep_alive`?"
)]
#[case::feature(
    "command = \"a\"\nlacks = [\"shared_subscription\"]\n",
    "a.toml:2:10: unknown feature `shared_subscription`; did you mean `shared_subscriptions`?"
)]
#[case::cause(
    "command = \"a\"\n[[closes]]\nbecause = \"keepalive\"\nprints = \"Client {client} x\"\n",
    "a.toml:3:11: unknown cause `keepalive`; did you mean `keep_alive`?"
)]
#[case::line(
    "command = \"a\"\n[[closes]]\nbecause = \"keep_alive\"\nprints = \"gone\"\n",
    "a.toml:4:10: a line is a text with `{client}` once, and something before it"
)]
#[case::minimum(
    "command = \"a\"\n[config]\nfile = \"f\"\ntext = \"\"\n[settings]\nmax_keep_alive = \"x\"\n[minimum]\nmax_keep_alive = \"10\"\n",
    "a.toml:8:18: the value of a setting is a number here"
)]
#[case::minimum_of_what_it_does_not_take(
    "command = \"a\"\n[minimum]\nmax_keep_alive = 10\n",
    "a.toml:3:1: unknown key `max_keep_alive`"
)]
#[case::port("command = \"a\"\nport = 70000\n", "a.toml:2:8: a port is a number from 1 to 65535")]
#[case::file(
    "command = \"a\"\n[config]\nfile = \"../f\"\ntext = \"\"\n",
    "a.toml:3:8: the file stands in the program's folder: a name without `/`"
)]
#[case::not_a_table(
    "command = \"a\"\nsettings = 3\n[config]\nfile = \"f\"\ntext = \"\"\n",
    "a.toml:2:12: a table is expected"
)]
#[case::fixed(
    "command = \"a\"\n[fixed]\nin_flight_message = 1\n",
    "a.toml:3:1: unknown key `in_flight_message`; did you mean `in_flight_messages`?"
)]
#[case::login_without_user(
    "command = \"a\"\nlogin = { password = \"x\" }\n",
    "a.toml:2:9: `user` of the login is missing"
)]
#[case::login_key(
    "command = \"a\"\nlogin = { user = \"a\", pasword = \"x\" }\n",
    "a.toml:2:23: unknown key `pasword`; did you mean `password`?"
)]
#[case::empty("", "a.toml:1:1: `command` is missing: the program to start")]
fn profile_is_refused(#[case] text: &str, #[case] error: &str) {
    let errors = Profile::parse("a", "a.toml", text, &|_| Err(io::ErrorKind::NotFound.into()))
        .expect_err("it is wrong")
        .to_string();
    assert!(errors.starts_with(error), "{errors}");
}

#[test]
fn mosquitto_takes_what_it_can_be_told() {
    let profile = Profile::find("mosquitto").expect("it is shipped");
    let program = |config| Program::Broker(Box::new(BrokerProgram { config, ..BrokerProgram::default() }));
    assert_eq!(
        profile.does_not_take(&program(BrokerSettings { max_keep_alive: Some(10), ..BrokerSettings::default() })),
        None
    );
    assert_eq!(
        profile
            .does_not_take(&program(BrokerSettings { max_keep_alive: Some(9), ..BrokerSettings::default() }))
            .as_deref(),
        Some("it sets `max_keep_alive` on a broker to 9, and mosquitto takes 10 at least")
    );
    assert_eq!(
        profile
            .does_not_take(&program(BrokerSettings { server_keep_alive: Some(5), ..BrokerSettings::default() }))
            .as_deref(),
        Some("it sets `server_keep_alive` on a broker, which mosquitto does not take")
    );
}

#[test]
fn a_profile_that_is_not_there_names_those_that_are() {
    let error = Profile::find("mosquito").expect_err("there is none").to_string();
    assert!(
        error.starts_with(
            "there is no profile `mosquito`: known are activemq, aedes, amqtt, ejabberd, gmqtt, libmosquitto, mosquitto, mqttjs, nats, paho, rabbitmq, rumqttc, rumqttd, rumqttd5;"
        ),
        "{error}"
    );
    assert!(Profile::find("no/such.toml").expect_err("there is none").to_string().starts_with("no/such.toml: "));
}

#[rstest]
#[case::of_a_broker(
    "role = \"client\"\ncommand = \"a\"\nport = 1883\n",
    "a.toml:3:1: the profile of a client has no `port`"
)]
#[case::of_a_client("command = \"a\"\ntakes = []\n", "a.toml:2:1: the profile of a broker has no `takes`")]
#[case::adapter(
    "role = \"client\"\ncommand = \"a\"\nadapter = \"b.py\"\n",
    "a.toml:3:11: the adapter `b.py` cannot be read: entity not found"
)]
#[case::elsewhere(
    "role = \"client\"\ncommand = \"a\"\nadapter = \"../b.py\"\n",
    "a.toml:3:11: the adapter stands beside the profile: a name without `/`"
)]
#[case::no_adapter(
    "role = \"client\"\ncommand = \"a\"\nargs = [\"{adapter}\"]\n",
    "a.toml:3:8: `{adapter}` needs `adapter`, a file beside this one"
)]
#[case::setting(
    "role = \"client\"\ncommand = \"a\"\ntakes = [\"wil\"]\n",
    "a.toml:3:10: unknown setting `wil`; did you mean `will`?"
)]
#[case::version("command = \"a\"\nmqtt = [\"3.1\"]\n", "a.toml:2:9: unknown version `3.1`")]
fn profile_of_a_client_is_refused(#[case] text: &str, #[case] error: &str) {
    let errors = Profile::parse("a", "a.toml", text, &|_| Err(io::ErrorKind::NotFound.into()));
    let errors = errors.expect_err("it is wrong").to_string();
    assert!(errors.starts_with(error), "{errors}");
}

#[test]
fn paho_takes_what_it_can_be_told() {
    let profile = Profile::find("paho").expect("it is shipped");
    let program = |change: &dyn Fn(&mut ClientSettings)| {
        let mut options = ClientSettings::new(Version::V5_0, "a");
        change(&mut options);
        Program::Client(ClientProgram::new(options, NodeId(0)))
    };
    assert_eq!(profile.does_not_take(&program(&|_| {})), None);
    assert_eq!(profile.does_not_take(&program(&|settings| settings.reconnect = Some(Reconnect::default()))), None);
    assert_eq!(
        profile.does_not_take(&program(&|settings| settings.ping_timeout = Some(Duration::ZERO))).as_deref(),
        Some("it sets `ping_timeout` on a client, which paho does not take")
    );
}

const QOS_2: &str = "{ topic: t, payload: x, qos: 2 }";
const RAW_QOS_2: &str = "raw: { send: { PUBLISH: { topic: t, payload: x, qos: 2, id: 1 } } }";

#[rstest]
#[case::publishes("", &format!("a: {{ publish: {QOS_2} }}"), Some("qos 2"))]
#[case::in_a_loop("", &format!("repeat: {{ times: 2, steps: [ {{ a: {{ publish: {QOS_2} }} }} ] }}"), Some("qos 2"))]
#[case::raw("", RAW_QOS_2, Some("qos 2"))]
#[case::raw_release("", "raw: { send: { PUBREL: { id: 1 } } }", Some("qos 2"))]
#[case::will(&format!("b: {{ will: {QOS_2} }}"), "wait: 1s", Some("qos 2"))]
#[case::subscription("b: { subscribe: $share/g/t }", "wait: 1s", Some("shared subscriptions"))]
#[case::neither("b: { subscribe: t }", "a: { publish: { topic: t, payload: x, qos: 1 } }", None)]
#[case::taken_from_the_broker("}\nbrokers: { broker: { maximum_qos: 1 }", RAW_QOS_2, None)]
#[case::named("}\nrequires: qos_2\nnetwork: { latency: 10ms", "wait: 1s", Some("qos 2"))]
fn runs_that_make_use_of_what_a_program_lacks_are_skipped(
    #[case] client: &str,
    #[case] step: &str,
    #[case] lacks: Option<&str>,
) {
    let text = "command = \"a\"\nlacks = [\"shared_subscriptions\", \"qos_2\"]\n";
    let profile =
        Profile::parse("a", "a.toml", text, &|_| Err(io::ErrorKind::NotFound.into())).expect("it has no errors");
    let text =
        format!("mqtt: 5.0\nraw_clients: {{ raw: {{}} }}\nclients: {{ a: {{}}, {client} }}\nsteps: [ {{ {step} }} ]\n");
    let source = Source { path: "x.yaml".to_owned(), text, ..Source::default() };
    let scenario = parse("x".to_owned(), source).unwrap_or_else(|errors| panic!("{errors}"));
    let plan = scenario.plans(PlanOptions::default()).expect("it has a run").remove(0);
    assert_eq!(profile.lacks(&plan), lacks.map(|what| format!("a has no {what}")));
}

#[rstest]
#[case::the_receive_maximum("receive_maximum: 3", "inflight {value}", (3, 3))]
#[case::what_is_under_way("in_flight_messages: 3", "inflight {value}", (3, 3))]
#[case::both("receive_maximum: 3, in_flight_messages: 3", "inflight {value}", (3, 3))]
#[case::two_settings("receive_maximum: 3, in_flight_messages: 5", "other {value}", (3, 5))]
fn two_settings_with_one_text_are_set_together(#[case] set: &str, #[case] text: &str, #[case] expected: (u16, u16)) {
    let (profile, mut broker) = with_windows(set, text);
    assert_eq!(profile.does_not_take(&broker), None);
    profile.set_together(&mut broker);
    let Program::Broker(broker) = broker else { unreachable!("it is a broker") };
    assert_eq!((broker.config.receive_maximum, broker.config.in_flight_messages), expected);
}

#[test]
fn two_settings_with_one_text_cannot_be_different() {
    let (profile, broker) = with_windows("receive_maximum: 3, in_flight_messages: 5", "inflight {value}");
    let why = "it sets `receive_maximum` and `in_flight_messages` on a broker to different values, which are one for a";
    assert_eq!(profile.does_not_take(&broker).as_deref(), Some(why));
}

#[rstest]
#[case::what_nobody_sets("", 1)]
#[case::what_a_scenario_sets("in_flight_messages: 7", 7)]
fn broker_has_what_its_profile_fixes(#[case] set: &str, #[case] expected: u16) {
    let (_, mut broker) = with_windows(set, "x");
    let profile = "command = \"a\"\n[fixed]\nin_flight_messages = 1\nqueue_messages = 100\n";
    let profile =
        Profile::parse("a", "a.toml", profile, &|_| Err(io::ErrorKind::NotFound.into())).expect("it has no errors");
    profile.fix(&mut broker);
    let Program::Broker(broker) = broker else { unreachable!("it is a broker") };
    assert_eq!((broker.config.in_flight_messages, broker.config.queue_messages), (expected, 100));
}

#[rstest]
#[case::all("", true)]
#[case::one_has_another("username: me", false)]
fn login_is_in_each_connect_if_no_other_is(#[case] own: &str, #[case] expected: bool) {
    let profile = "command = \"a\"\nlogin = { user = \"all\", password = \"secret\" }\n";
    let profile =
        Profile::parse("a", "a.toml", profile, &|_| Err(io::ErrorKind::NotFound.into())).expect("it has no errors");
    let text = format!(
        "mqtt: 5.0\nclients: {{ a: {{}}, b: {{ {own} }} }}\nraw_clients: {{ c: {{}} }}\nsteps:\n  \
         - a: {{ connect: {{ with: {{ keep_alive: 5s }} }} }}\n  - repeat: {{ times: 1, steps: [ {{ c: {{ send: {{ CONNECT: {{ keep_alive: 7s }} }} }} }} ] }}\n"
    );
    let source = Source { path: "x.yaml".to_owned(), text, ..Source::default() };
    let scenario = parse("x".to_owned(), source).unwrap_or_else(|errors| panic!("{errors}"));
    let mut plan = scenario.plans(PlanOptions::default()).expect("it has a run").remove(0);
    assert_eq!(profile.login().expect("it has one").give_to_all(&mut plan).is_ok(), expected);
    let shown = format!("{plan:?}");
    assert_eq!(shown.matches("username: Some(\"all\")").count(), if expected { 5 } else { 4 }, "{shown}");
}

/// Returns a profile whose text for `in_flight_messages` is given, and the broker of a scenario that sets something.
fn with_windows(set: &str, text: &str) -> (Profile, Program) {
    let profile = format!(
        "command = \"a\"\n[config]\nfile = \"c\"\ntext = \"\"\n[settings]\nreceive_maximum = \"inflight {{value}}\"\n\
         in_flight_messages = \"{text}\"\n"
    );
    let profile =
        Profile::parse("a", "a.toml", &profile, &|_| Err(io::ErrorKind::NotFound.into())).expect("it has no errors");
    let text =
        format!("mqtt: 5.0\nbrokers: {{ broker: {{ {set} }} }}\nclients: {{ a: {{}} }}\nsteps: [ {{ wait: 1s }} ]\n");
    let source = Source { path: "x.yaml".to_owned(), text, ..Source::default() };
    let scenario = parse("x".to_owned(), source).unwrap_or_else(|errors| panic!("{errors}"));
    let mut plan = scenario.plans(PlanOptions::default()).expect("it has a run").remove(0);
    let place = plan.nodes.iter().position(Node::is_broker).expect("it has a broker");
    (profile, plan.nodes.swap_remove(place).program)
}
