//! The text of a profile as typed values, with all errors at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use halfopen_protocol::Version;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::pattern::Pattern;
use super::settings::{CLIENT_NAMES, FIXED, NAMES};
use super::{AdapterFile, Close, ConfigFile, Login, Profile, Role};
use crate::plan::{Because, Feature, Position, Source};
use crate::scenario::{Error, Errors, Span};

const KEYS: &[&str] = &["role", "command", "args", "environment", "inherits", "ready_within", "mqtt"];
/// Keys of a broker.
const BROKER_KEYS: &[&str] = &["port", "config", "settings", "minimum", "fixed", "lacks", "login", "closes"];
/// Keys of a client.
const CLIENT_KEYS: &[&str] = &["adapter", "takes"];
const CONFIG_KEYS: &[&str] = &["file", "text"];
const LOGIN_KEYS: &[&str] = &["user", "password"];
const CLOSE_KEYS: &[&str] = &["because", "prints"];
const PLACEHOLDERS: &[&str] = &["{port}", "{config}", "{dir}", "{value}", "{adapter}"];

/// Reads a profile.
///
/// # Errors
/// With all that is wrong with it.
pub(super) fn parse(
    name: &str,
    source: &Arc<Source>,
    beside: &dyn Fn(&str) -> io::Result<String>,
) -> Result<Profile, Errors> {
    let mut reader = Reader { source: Arc::clone(source), errors: Vec::new() };
    let (table, syntax) = DeTable::parse_recoverable(&source.text);
    for error in &syntax {
        reader.error(error.span().unwrap_or(0..0), error.message().to_owned(), None);
    }
    let profile = reader.profile(name, table.get_ref(), beside);
    reader.errors.sort_by_key(|error| error.span);
    match (Errors::collect(reader.errors.into_iter().map(Errors::from)), profile) {
        (None, Some(profile)) => Ok(profile),
        (Some(errors), _) => Err(errors),
        (None, None) => unreachable!("what cannot be read is an error"),
    }
}

type Value<'a> = Spanned<DeValue<'a>>;

struct Reader {
    source: Arc<Source>,
    errors: Vec<Error>,
}

impl Reader {
    fn profile(
        &mut self,
        name: &str,
        table: &DeTable<'_>,
        beside: &dyn Fn(&str) -> io::Result<String>,
    ) -> Option<Profile> {
        let get = |key: &str| table.get(key);
        let role = match get("role").map(|role| (role, role.get_ref().as_str())) {
            None | Some((_, Some("broker"))) => Role::Broker,
            Some((_, Some("client"))) => Role::Client,
            Some((role, _)) => {
                self.error(role.span(), "the role of a program is `broker` or `client`".to_owned(), None);
                Role::Broker
            }
        };
        self.know_keys(table, role);
        let command = match get("command") {
            Some(command) => self.text(command),
            None => {
                self.error(0..0, "`command` is missing: the program to start".to_owned(), None);
                None
            }
        };
        let adapter = get("adapter").and_then(|value| self.adapter(value, beside));
        let versions = get("mqtt").map_or_else(|| BTreeSet::from(Version::ALL), |value| self.versions(value));
        let takes = get("takes").map_or_else(BTreeSet::new, |value| self.words(value, "setting", CLIENT_NAMES));
        let config = get("config").and_then(|value| self.config(value));
        let args: Vec<String> = get("args").map_or_else(Vec::new, |value| self.texts(value));
        let uses_config = args.iter().any(|arg| arg.contains("{config}"));
        if let (true, None, Some(args)) = (uses_config, get("config"), get("args")) {
            self.error(args.span(), "`{config}` needs a table `[config]` with `file` and `text`".to_owned(), None);
        }
        if let (None, Some(settings)) = (get("config"), get("settings")) {
            let message = "settings are added to the configuration: a table `[config]` is missing".to_owned();
            self.error(settings.span(), message, None);
        }
        let uses_adapter = args.iter().any(|arg| arg.contains("{adapter}"));
        if let (true, None, Some(args)) = (uses_adapter, get("adapter"), get("args")) {
            self.error(args.span(), "`{adapter}` needs `adapter`, a file beside this one".to_owned(), None);
        }
        let inherits = get("inherits").map_or_else(Vec::new, |value| self.texts(value)).into_iter().collect();
        let environment = get("environment").map_or_else(BTreeMap::new, |value| self.map(value, None));
        let port = get("port").map_or(Some(1883), |value| self.port(value));
        let ready_within = get("ready_within").map_or(Some(Duration::from_secs(60)), |value| self.seconds(value));
        let settings = get("settings").map_or_else(BTreeMap::new, |value| self.map(value, Some(NAMES)));
        let names: Vec<&str> = settings.keys().map(String::as_str).collect();
        let minimum = get("minimum").map_or_else(BTreeMap::new, |value| self.numbers(value, &names));
        let fixed = get("fixed").map_or_else(BTreeMap::new, |value| self.numbers(value, FIXED));
        let lacks = get("lacks").map_or_else(BTreeSet::new, |value| self.features(value));
        let login = get("login").and_then(|value| self.login(value));
        let closes = get("closes").map_or_else(Vec::new, |value| self.closes(value));
        Some(Profile {
            name: name.to_owned(),
            role,
            command: command?,
            args,
            environment,
            inherits,
            adapter,
            versions,
            takes,
            port: port?,
            ready_within: ready_within?,
            config,
            settings,
            minimum,
            fixed,
            lacks,
            login,
            closes,
        })
    }

    fn adapter(&mut self, value: &Value<'_>, beside: &dyn Fn(&str) -> io::Result<String>) -> Option<AdapterFile> {
        let name = self.text(value)?;
        if name.contains('/') || name.is_empty() {
            self.error(value.span(), "the adapter stands beside the profile: a name without `/`".to_owned(), None);
            return None;
        }
        match beside(&name) {
            Ok(text) => Some(AdapterFile { name, text }),
            Err(error) => {
                self.error(value.span(), format!("the adapter `{name}` cannot be read: {error}"), None);
                None
            }
        }
    }

    fn versions(&mut self, value: &Value<'_>) -> BTreeSet<Version> {
        let names = Version::ALL.map(|version| version.to_string());
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let wanted = self.words(value, "version", &names);
        Version::ALL.into_iter().filter(|version| wanted.contains(&version.to_string())).collect()
    }

    /// Reads a list of words that are known.
    fn words(&mut self, value: &Value<'_>, what: &str, known: &[&str]) -> BTreeSet<String> {
        let Some(values) = value.get_ref().as_array() else {
            self.error(value.span(), format!("a list of {what}s is expected"), None);
            return BTreeSet::new();
        };
        let mut words = BTreeSet::new();
        for value in values {
            let Some(word) = self.text(value) else { continue };
            if known.contains(&word.as_str()) {
                words.insert(word);
            } else {
                self.unknown(value.span(), what, &word, known);
            }
        }
        words
    }

    fn config(&mut self, value: &Value<'_>) -> Option<ConfigFile> {
        let table = self.table(value)?;
        self.know(table, CONFIG_KEYS);
        for key in CONFIG_KEYS.iter().filter(|key| !table.contains_key(**key)) {
            self.error(value.span(), format!("`{key}` of the configuration is missing"), None);
        }
        let file = table.get("file").and_then(|file| {
            let name = self.text(file)?;
            if name.contains('/') || name.is_empty() {
                self.error(file.span(), "the file stands in the program's folder: a name without `/`".to_owned(), None);
            }
            Some(name)
        });
        let text = table.get("text").and_then(|text| self.text(text));
        Some(ConfigFile { file: file?, text: text?.trim_start().to_owned() })
    }

    fn login(&mut self, value: &Value<'_>) -> Option<Login> {
        let table = self.table(value)?;
        self.know(table, LOGIN_KEYS);
        let password = table.get("password").and_then(|password| self.text(password));
        match table.get("user") {
            Some(user) => Some(Login { user: self.text(user)?, password: password.map(Into::into) }),
            None => {
                self.error(value.span(), "`user` of the login is missing".to_owned(), None);
                None
            }
        }
    }

    fn closes(&mut self, value: &Value<'_>) -> Vec<Close> {
        let Some(tables) = value.get_ref().as_array() else {
            self.error(value.span(), "causes are written as tables `[[closes]]`".to_owned(), None);
            return Vec::new();
        };
        tables.iter().filter_map(|table| self.close(table)).collect()
    }

    fn close(&mut self, value: &Value<'_>) -> Option<Close> {
        let table = self.table(value)?;
        self.know(table, CLOSE_KEYS);
        for key in CLOSE_KEYS.iter().filter(|key| !table.contains_key(**key)) {
            self.error(value.span(), format!("`{key}` is missing"), None);
        }
        let because = table.get("because").and_then(|value| {
            let word = self.text(value)?;
            let words: Vec<&str> = Because::ALL.iter().map(|because| because.word()).collect();
            let because = Because::ALL.into_iter().find(|because| because.word() == word);
            if because.is_none() {
                self.unknown(value.span(), "cause", &word, &words);
            }
            because
        });
        let prints = table.get("prints").and_then(|value| {
            let pattern = Pattern::parse(value.get_ref().as_str()?);
            if pattern.is_none() {
                let message = "a line is a text with `{client}` once, and something before it".to_owned();
                self.error(value.span(), message, None);
            }
            pattern
        });
        Some(Close { because: because?, prints: prints? })
    }

    fn features(&mut self, value: &Value<'_>) -> BTreeSet<Feature> {
        let known: Vec<&str> = Feature::ALL.iter().map(|feature| feature.word()).collect();
        let words = self.words(value, "feature", &known);
        Feature::ALL.into_iter().filter(|feature| words.contains(feature.word())).collect()
    }

    fn texts(&mut self, value: &Value<'_>) -> Vec<String> {
        match value.get_ref().as_array() {
            Some(values) => values.iter().filter_map(|value| self.text(value)).collect(),
            None => {
                self.error(value.span(), "a list of texts is expected".to_owned(), None);
                Vec::new()
            }
        }
    }

    fn map(&mut self, value: &Value<'_>, names: Option<&[&str]>) -> BTreeMap<String, String> {
        let Some(table) = self.table(value) else { return BTreeMap::new() };
        if let Some(names) = names {
            self.know(table, names);
        }
        table.iter().filter_map(|(key, value)| Some((key.get_ref().to_string(), self.text(value)?))).collect()
    }

    /// Reads a number for each of some settings.
    fn numbers(&mut self, value: &Value<'_>, names: &[&str]) -> BTreeMap<String, u64> {
        let Some(table) = self.table(value) else { return BTreeMap::new() };
        self.know(table, names);
        let mut numbers = BTreeMap::new();
        for (key, value) in table.iter() {
            match value.get_ref().as_integer().and_then(|number| number.as_str().parse().ok()) {
                Some(number) => drop(numbers.insert(key.get_ref().to_string(), number)),
                None => self.error(value.span(), "the value of a setting is a number here".to_owned(), None),
            }
        }
        numbers
    }

    fn table<'v, 'a>(&mut self, value: &'v Value<'a>) -> Option<&'v DeTable<'a>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.error(value.span(), "a table is expected".to_owned(), None);
        }
        table
    }

    /// Reads a text, in which only known placeholders stand in braces.
    fn text(&mut self, value: &Value<'_>) -> Option<String> {
        let Some(text) = value.get_ref().as_str() else {
            self.error(value.span(), "a text is expected".to_owned(), None);
            return None;
        };
        for (at, _) in text.match_indices('{') {
            let Some(word) = text[at..].split_inclusive('}').next().filter(|word| word.ends_with('}')) else {
                continue;
            };
            let is_name = word[1..word.len() - 1].chars().all(|c| c.is_ascii_lowercase() || c == '_') && word.len() > 2;
            if is_name && !PLACEHOLDERS.contains(&word) {
                self.unknown(value.span(), "placeholder", word, PLACEHOLDERS);
            }
        }
        Some(text.to_owned())
    }

    fn port(&mut self, value: &Value<'_>) -> Option<u16> {
        let port =
            value.get_ref().as_integer().and_then(|number| number.as_str().parse().ok()).filter(|port| *port > 0);
        if port.is_none() {
            self.error(value.span(), "a port is a number from 1 to 65535".to_owned(), None);
        }
        port
    }

    fn seconds(&mut self, value: &Value<'_>) -> Option<Duration> {
        let text = value.get_ref().as_str().and_then(|text| text.strip_suffix('s')?.parse().ok());
        if text.is_none() {
            self.error(value.span(), "a time is written in whole seconds, as `\"60s\"`".to_owned(), None);
        }
        text.map(Duration::from_secs)
    }

    /// Reports the keys of the profile that are not known, or not for its role.
    fn know_keys(&mut self, table: &DeTable<'_>, role: Role) {
        let (own, others) = match role {
            Role::Broker => (BROKER_KEYS, CLIENT_KEYS),
            Role::Client => (CLIENT_KEYS, BROKER_KEYS),
        };
        let known = [KEYS, own].concat();
        for key in table.keys() {
            if others.contains(&&**key.get_ref()) {
                self.error(key.span(), format!("the profile of a {role} has no `{}`", key.get_ref()), None);
            } else if !known.contains(&&**key.get_ref()) {
                self.unknown(key.span(), "key", key.get_ref(), &known);
            }
        }
    }

    /// Reports the keys of a table that are not known.
    fn know(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for key in table.keys() {
            if !known.contains(&&**key.get_ref()) {
                self.unknown(key.span(), "key", key.get_ref(), known);
            }
        }
    }

    fn unknown(&mut self, span: Range<usize>, what: &str, word: &str, known: &[&str]) {
        let nearest = known.iter().map(|known| (strsim::damerau_levenshtein(word, known), *known)).min();
        let hint = match nearest {
            Some((distance, near)) if distance <= (word.chars().count() / 3).max(1) => {
                format!("; did you mean `{near}`?")
            }
            _ => String::new(),
        };
        self.error(span, format!("unknown {what} `{word}`{hint}"), Some(format!("known: {}", known.join(", "))));
    }

    fn error(&mut self, span: Range<usize>, message: String, note: Option<String>) {
        let span = Span { start: self.position(span.start), end: self.position(span.end) };
        let source_file = Arc::clone(&self.source);
        self.errors.push(Error { source_file, span: Some(span), message, note, first: None, is_warning: false });
    }

    fn position(&self, at: usize) -> Position {
        let before = self.source.text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() as u32 + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1;
        Position { line, column, ..Position::default() }
    }
}
