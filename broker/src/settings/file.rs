use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::{fmt, fs};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::values::{Address, Value, choice, wrong_kind};
use super::{AccessSettings, Limits, Source};

/// Reads a configuration file.
///
/// # Errors
/// Everything that is wrong in it, a line each.
pub(crate) fn read(path: &Path) -> Result<Source, Vec<String>> {
    let text = fs::read_to_string(path).map_err(|error| vec![format!("cannot read {}: {error}", path.display())])?;
    let source = parse(&text)
        .map_err(|wrong| wrong.iter().map(|wrong| format!("{}:{wrong}", path.display())).collect::<Vec<_>>())?;
    Ok(source.in_folder(path.parent().unwrap_or(Path::new(""))))
}

/// Reads the text of a configuration file.
pub(super) fn parse(text: &str) -> Result<Source, Vec<Wrong>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, source: Source::default(), wrong: Vec::new() };
    for error in errors {
        reader.wrong(error.span().unwrap_or_default(), error.message().trim().replace('\n', "; "));
    }
    // What else the parser or the reader says about a broken line only repeats that it is broken.
    let broken: BTreeMap<usize, usize> = reader.wrong.iter().rev().map(|wrong| (wrong.line, wrong.column)).collect();
    reader.top(document.get_ref());
    let Reader { source, mut wrong, .. } = reader;
    wrong.retain(|wrong| broken.get(&wrong.line).is_none_or(|column| *column == wrong.column));
    wrong.sort_by_key(|wrong| (wrong.line, wrong.column));
    if wrong.is_empty() { Ok(source) } else { Err(wrong) }
}

/// What is wrong in a file, and where, both counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    line: usize,
    column: usize,
    what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.what)
    }
}

/// Goes through a file and collects what is in it and what is wrong with it.
struct Reader<'a> {
    text: &'a str,
    source: Source,
    wrong: Vec<Wrong>,
}

impl Reader<'_> {
    fn wrong(&mut self, span: Range<usize>, what: String) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        self.wrong.push(Wrong { line, column, what });
    }

    fn top(&mut self, document: &DeTable<'_>) {
        for (key, value) in document {
            match key.get_ref().as_ref() {
                "listen" => self.source.listen = self.addresses(value),
                "websocket" => self.source.websocket = self.addresses(value),
                "log" => self.source.log = self.take(value, choice(value.get_ref())),
                "access" => self.table("access", value),
                "mqtt" => self.table("mqtt", value),
                name => self.unknown(key.span(), name, ""),
            }
        }
    }

    fn table(&mut self, table: &'static str, value: &Spanned<DeValue<'_>>) {
        let Some(entries) = value.get_ref().as_table() else {
            return self.wrong(value.span(), wrong_kind(&format!("a table, [{table}]"), value.get_ref()));
        };
        for (key, value) in entries {
            let name = key.get_ref().as_ref();
            let set = match table {
                "access" => self.source.access.set(name, value.get_ref()),
                _ => self.source.limits.set(name, value.get_ref()),
            };
            match set {
                Some(result) => _ = self.take(value, result),
                None => self.unknown(key.span(), name, table),
            }
        }
    }

    fn take<T>(&mut self, value: &Spanned<DeValue<'_>>, result: Result<T, String>) -> Option<T> {
        result.map_err(|what| self.wrong(value.span(), what)).ok()
    }

    fn addresses(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Vec<Address>> {
        let Some(list) = value.get_ref().as_array() else {
            let what = wrong_kind("a list, such as [\"0.0.0.0:1883\"]", value.get_ref());
            return self.take(value, Err(what));
        };
        Some(list.iter().filter_map(|it| self.take(it, Address::from_toml(it.get_ref()))).collect())
    }

    /// Says where a key belongs, or which one is nearest to it.
    fn unknown(&mut self, span: Range<usize>, name: &str, table: &str) {
        let known = [("", Source::KEYS), ("access", AccessSettings::KEYS), ("mqtt", Limits::KEYS)];
        let place = |of: &str| match of {
            "" => "at the top of the file, before the first table".to_owned(),
            _ => format!("in the table [{of}]"),
        };
        let keys = || known.iter().flat_map(|(of, keys)| keys.iter().map(move |key| (*of, *key)));
        let shown = name.escape_debug();
        let what = if let Some((of, _)) = keys().find(|(_, key)| *key == name) {
            format!("`{shown}` belongs {}", place(of))
        } else {
            // One of the same table rather than another.
            let near = keys().map(|(of, key)| (strsim::damerau_levenshtein(name, key), of != table, of, key)).min();
            match near.filter(|(distance, ..)| *distance <= (name.chars().count() / 3).max(1)) {
                Some((_, false, _, key)) => format!("there is no key `{shown}`; did you mean `{key}`?"),
                Some((_, true, of, key)) => format!("there is no key `{shown}`; did you mean `{key}`, {}?", place(of)),
                None => format!("there is no key `{shown}` (halfopen-broker.toml shows all)"),
            }
        };
        self.wrong(span, what);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("lisen = []", "1:1: there is no key `lisen`; did you mean `listen`?")]
    #[case("\n[mqtt]\n  queue_message = 3", "3:3: there is no key `queue_message`; did you mean `queue_messages`?")]
    #[case("[access]\nbanana = 1", "2:1: there is no key `banana` (halfopen-broker.toml shows all)")]
    #[case("queue_messages = 1", "1:1: `queue_messages` belongs in the table [mqtt]")]
    #[case("[mqtt]\nlisten = []", "2:1: `listen` belongs at the top of the file, before the first table")]
    #[case("[mqtt]\nacl_fil = 'x'", "2:1: there is no key `acl_fil`; did you mean `acl_file`, in the table [access]?")]
    #[case("[mqt]\n", "1:2: there is no key `mqt`; did you mean `mqtt`?")]
    #[case("mqtt = 3", "1:8: expected a table, [mqtt], found a whole number")]
    #[case("[mqtt]\nconnect_timeout = '10'", "2:19: expected a whole number with a unit: ms, s, m or h")]
    #[case("[mqtt]\nconnect_timeout = '0s'", "2:19: expected a duration from 1ms to 24h")]
    #[case(
        "[mqtt]\nconnect_timeout = 10",
        "2:19: expected a duration in quotes, such as \"10s\", found a whole number"
    )]
    #[case("[mqtt]\nkeep_alive_factor = 0.0", "2:21: expected a number from 1 to 100")]
    #[case("[mqtt]\nkeep_alive_factor = 1e300", "2:21: expected a number from 1 to 100")]
    #[case("[mqtt]\nkeep_alive_factor = 'x'", "2:21: expected a number, found text")]
    #[case("[mqtt]\nmin_keep_alive = '0s'", "2:18: expected whole seconds from 1s to 65535s")]
    #[case("log = 'all'", "1:7: expected \"none\" or \"connections\" or \"packets\"")]
    #[case("log = true", "1:7: expected \"none\" or \"connections\" or \"packets\", found true or false")]
    #[case(
        "listen = ['nowhere']",
        "1:11: expected an address or a host name, and a port, such as 0.0.0.0:1883 or localhost:1883"
    )]
    #[case("listen = 'localhost:1'", "1:10: expected a list, such as [\"0.0.0.0:1883\"], found text")]
    #[case("listen = [1883]", "1:11: expected text in quotes, such as \"localhost:1883\", found a whole number")]
    #[case("[mqtt]\nqueue_bytes = -1", "2:15: expected a whole number from 1 to 1099511627776")]
    #[case("[mqtt]\nqueue_messages = 1.5", "2:18: expected a whole number, found a fraction")]
    #[case("[mqtt]\nsessions = 0", "2:12: expected a whole number from 1 to 4294967295")]
    #[case("[mqtt]\nreceive_maximum = 0", "2:19: expected a whole number from 1 to 65535")]
    #[case("[mqtt]\nmaximum_qos = 3", "2:15: expected 0, 1 or 2")]
    #[case("[mqtt]\nretain_available = 'no'", "2:20: expected true or false (without quotes), found text")]
    #[case("[mqtt]\nserver_reference = ''", "2:20: expected some text")]
    #[case("[access]\nacl_file = ''", "2:12: expected the name of a file")]
    #[case("log = 'packets'\nlog = 'packets'", "2:1: duplicate key")]
    fn what_is_wrong_is_said_with_its_place(#[case] text: &str, #[case] expected: &str) {
        let wrong = parse(text).expect_err("wrong");
        assert_eq!(wrong.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_and_in_order() {
        let text = "log = 'all'\nlisten = ['a', 'localhost:1', 'b']\n[mqtt]\nsubscriptions = = 3\nsesions = 1\n";
        let wrong = parse(text).expect_err("wrong");
        let places: Vec<_> = wrong.iter().map(|wrong| (wrong.line, wrong.column)).collect();
        assert_eq!(places, [(1, 7), (2, 11), (2, 31), (4, 17), (5, 1)], "{wrong:?}");
    }
}
