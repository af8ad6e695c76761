//! Shapes of a configuration: a tree against the lists of `keys`, every fault at once.
//!
//! `Reader::table` judges a whole tree first: keys that are unknown or not built yet, types, words, numbers that do not
//! fit. After that `Table` is read without a further word: what was wrong counts as absent. Combinations of keys are
//! judged by who reads them, content by `engine::faults`.

use super::keys::{Holds, Key, Keys, homes, names};
use crate::calendar::{parse_date, parse_span, parse_weekly};
use crate::codec::node::{Node, Value};
use engine::faults::join_key;
use engine::policy::SkillLevel;
use std::borrow::Cow;

/// Keys and words of routing.md that this build does not have. Taking one silently would promise what nobody does.
pub(super) const LATER: &[&str] = &["callback", "estimated_wait_above_s", "group_shares", "groups"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ShapeFaultKind {
    WrongType,
    OutOfBounds,
    Missing,
    Repeated,
    /// A key that is none of its table, or comes later.
    UnknownKey,
    /// A word that comes later.
    LaterWord,
    /// A word that is none of its list.
    UnknownWord,
    /// A text that does not say what stands there, like hours that are none.
    Malformed,
    /// A key that does not go with what stands beside it; the path is the key's.
    Combination,
}

impl ShapeFaultKind {
    /// Whether the fault is of a key rather than of its value.
    pub(crate) fn is_of_key(self) -> bool {
        matches!(self, ShapeFaultKind::UnknownKey | ShapeFaultKind::Repeated | ShapeFaultKind::Combination)
    }
}

/// One fault of a configuration's shape.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ShapeFault {
    pub kind: ShapeFaultKind,
    pub path: String,
    pub sentence: String,
    /// What to do about it; may be empty.
    pub help: String,
}

/// Judges shapes and collects what is wrong with them.
#[derive(Default)]
pub(crate) struct Reader {
    pub faults: Vec<ShapeFault>,
}

type Pairs<'n, 'a> = &'n [(Cow<'a, str>, Node<'a>)];

impl Reader {
    /// A table with these keys and no others, judged in all its depth. What is no table is read as an empty one.
    pub(crate) fn table<'n, 'a>(&mut self, value: &'n Value<'a>, path: String, keys: Keys) -> Table<'n, 'a> {
        self.judge_table(value, &path, keys);
        Table::of(value, path)
    }

    /// As `table`, but what else is there is ignored.
    pub(super) fn known_of<'n, 'a>(&mut self, value: &'n Value<'a>, path: &str, keys: Keys) -> Table<'n, 'a> {
        for (name, node) in self.pairs(value, path, String::new) {
            if let Some(key) = keys.iter().copied().flatten().find(|key| key.name == name) {
                self.judge(&node.0, &join_key(path, name), key);
            }
        }
        Table::of(value, path.to_string())
    }

    pub(super) fn fault(
        &mut self,
        kind: ShapeFaultKind,
        path: String,
        sentence: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.faults.push(ShapeFault { kind, path, sentence: sentence.into(), help: help.into() });
    }

    fn wrong_type(&mut self, path: &str, expected: &str, found: &Value<'_>, help: impl Into<String>) {
        let sentence = format!("this must be {expected}, and it is {}", found.type_name());
        self.fault(ShapeFaultKind::WrongType, path.to_string(), sentence, help);
    }

    fn out_of_bounds(&mut self, path: &str, sentence: &str, help: impl Into<String>) {
        self.fault(ShapeFaultKind::OutOfBounds, path.to_string(), sentence, help);
    }

    /// `key` of `table` is there although `sentence` says why it must not be.
    pub(super) fn misplaced(&mut self, table: &Table<'_, '_>, key: &str, sentence: &str, help: &str) {
        if table.value(key).is_some() {
            self.fault(ShapeFaultKind::Combination, table.path_of(key), sentence, help);
        }
    }

    /// `key` of `table` is not there although `sentence` says why it must be.
    pub(super) fn needed(&mut self, table: &Table<'_, '_>, key: &str, sentence: &str, help: &str) {
        if table.value(key).is_none() {
            self.fault(ShapeFaultKind::Combination, table.path_of(key), sentence, help);
        }
    }

    /// The pairs of a table, or none after the fault is noted. Keys that stand twice are noted.
    fn pairs<'n, 'a>(&mut self, value: &'n Value<'a>, path: &str, help: impl FnOnce() -> String) -> Pairs<'n, 'a> {
        let Value::Table(pairs) = value else {
            self.wrong_type(path, "a table", value, help());
            return &[];
        };
        let mut keys: Vec<&str> = pairs.iter().map(|(key, _)| &**key).collect();
        keys.sort_unstable();
        keys.dedup_by(|next, key| {
            let repeated = next == key;
            if repeated {
                let sentence = "this key stands twice; once is allowed";
                self.fault(ShapeFaultKind::Repeated, join_key(path, key), sentence, "");
            }
            repeated
        });
        pairs
    }

    fn judge_table(&mut self, value: &Value<'_>, path: &str, keys: Keys) {
        let pairs = self.pairs(value, path, || as_table(value, keys));
        for (name, node) in pairs {
            match keys.iter().copied().flatten().find(|key| key.name == name) {
                Some(key) => self.judge(&node.0, &join_key(path, name), key),
                None => self.unknown_key(join_key(path, name), name, keys),
            }
        }
        if !matches!(value, Value::Table(_)) {
            return;
        }
        let table = Table { path: path.to_string(), pairs };
        for key in keys.iter().copied().flatten().filter(|key| key.required && table.value(key.name).is_none()) {
            let sentence = format!("`{}` is missing", key.name);
            self.fault(ShapeFaultKind::Missing, table.path_of(key.name), sentence, key.says);
        }
    }

    fn unknown_key(&mut self, path: String, name: &str, keys: Keys) {
        if LATER.contains(&name) {
            let help = "it comes with a later version; leave it out";
            return self.fault(ShapeFaultKind::UnknownKey, path, format!("`{name}` is not built yet"), help);
        }
        let sentence = format!("`{name}` is no key of this table");
        self.fault(ShapeFaultKind::UnknownKey, path, sentence, meant(name, keys));
    }

    /// Null counts as absent.
    fn judge(&mut self, value: &Value<'_>, path: &str, key: &Key) {
        if matches!(value, Value::Null) {
            return;
        }
        match key.holds {
            Holds::Anything => {}
            Holds::Flag if matches!(value, Value::Flag(_)) => {}
            Holds::Flag => self.wrong_type(path, "true or false", value, ""),
            Holds::Name | Holds::Text => self.judge_text(value, path),
            Holds::Names(_) => self.judge_texts(value, path, |reader, value, path| reader.judge_text(value, path)),
            Holds::Words(words) => {
                let words = words();
                self.judge_texts(value, path, |reader, value, path| reader.judge_word(value, path, key.name, &words));
            }
            Holds::WeeklyOpenings(_) => {
                self.judge_texts(value, path, |reader, value, path| reader.judge_written(value, path, parse_weekly));
            }
            Holds::DayOpenings(_) => {
                self.judge_texts(value, path, |reader, value, path| reader.judge_written(value, path, parse_span));
            }
            Holds::Date => self.judge_written(value, path, parse_date),
            Holds::Numbers(..) => match value {
                Value::List(nodes) => {
                    for (i, node) in nodes.iter().enumerate() {
                        self.judge_whole(&node.0, &format!("{path}[{i}]"));
                    }
                }
                Value::Whole(number) => self.wrong_type(path, "a list of numbers", value, format!("write [{number}]")),
                _ => self.wrong_type(path, "a list of numbers", value, ""),
            },
            Holds::Whole(..) => self.judge_whole(value, path),
            Holds::Seconds | Holds::SomeSeconds => self.judge_seconds(value, path),
            Holds::Share => self.judge_share(value, path),
            Holds::Word(words) => self.judge_word(value, path, key.name, &words()),
            Holds::Levels | Holds::Wholes(..) => {
                for (name, node) in self.pairs(value, path, String::new) {
                    self.judge_whole(&node.0, &join_key(path, name));
                }
            }
            Holds::Attributes => {
                for (name, node) in self.pairs(value, path, String::new) {
                    if attribute_of(&node.0).is_none() {
                        self.wrong_type(&join_key(path, name), "a text, a number or a flag", &node.0, "");
                    }
                }
            }
            Holds::Table(keys) => self.judge_table(value, path, keys),
            Holds::Named(keys, _) => {
                for (name, node) in self.pairs(value, path, String::new) {
                    self.judge_table(&node.0, &join_key(path, name), keys);
                }
            }
            Holds::Tables(keys, _) => match value {
                Value::List(nodes) => {
                    for (i, node) in nodes.iter().enumerate() {
                        self.judge_table(&node.0, &format!("{path}[{i}]"), keys);
                    }
                }
                other => {
                    let help = match other {
                        Value::Table(_) => format!("write `[[{}]]` for each of them", header(path)),
                        _ => String::new(),
                    };
                    self.wrong_type(path, "a list of tables", other, help);
                }
            },
        }
    }

    fn judge_text(&mut self, value: &Value<'_>, path: &str) {
        if !matches!(value, Value::Text(_)) {
            self.wrong_type(path, "a text", value, "");
        }
    }

    /// A text that is read by `parse`.
    fn judge_written<T>(&mut self, value: &Value<'_>, path: &str, parse: fn(&str) -> Result<T, String>) {
        match value {
            Value::Text(text) => {
                if let Err(sentence) = parse(text) {
                    self.fault(ShapeFaultKind::Malformed, path.to_string(), sentence, "");
                }
            }
            Value::Date => self.wrong_type(path, "a text", value, "write it between quotation marks"),
            other => self.wrong_type(path, "a text", other, ""),
        }
    }

    fn judge_texts(&mut self, value: &Value<'_>, path: &str, judge: impl Fn(&mut Reader, &Value<'_>, &str)) {
        match value {
            Value::List(nodes) => {
                for (i, node) in nodes.iter().enumerate() {
                    judge(self, &node.0, &format!("{path}[{i}]"));
                }
            }
            Value::Text(text) if text.chars().count() <= 64 => {
                self.wrong_type(path, "a list of texts", value, format!("write [\"{text}\"]"));
            }
            _ => self.wrong_type(path, "a list of texts", value, ""),
        }
    }

    fn judge_whole(&mut self, value: &Value<'_>, path: &str) {
        match value {
            Value::Whole(_) => {}
            Value::Number(number) if number.fract() == 0.0 => {
                self.out_of_bounds(path, "this number must be 0 to 18446744073709551615", "");
            }
            Value::Number(_) => {
                self.fault(ShapeFaultKind::WrongType, path.to_string(), "this must be a whole number", "");
            }
            other => self.wrong_type(path, "a whole number", other, ""),
        }
    }

    fn judge_seconds(&mut self, value: &Value<'_>, path: &str) {
        match value {
            Value::Whole(_) | Value::Number(_) if ms_of(value).is_some() => {}
            Value::Whole(_) | Value::Number(_) => {
                self.out_of_bounds(path, "a duration is a number of seconds from 0 on", "");
            }
            other => self.wrong_type(path, "a number of seconds", other, ""),
        }
    }

    fn judge_share(&mut self, value: &Value<'_>, path: &str) {
        match number_of(value) {
            None => self.wrong_type(path, "a share from 0 to 1", value, ""),
            Some(share) if (0.0..=1.0).contains(&share) => {}
            Some(share) => {
                let percent = share > 1.0 && share <= 100.0;
                let help = if percent { format!("{share} % is {}", share / 100.0) } else { String::new() };
                self.out_of_bounds(path, "a share must be 0 to 1", help);
            }
        }
    }

    fn judge_word(&mut self, value: &Value<'_>, path: &str, key: &str, words: &[&str]) {
        let Value::Text(word) = value else {
            let help = format!("one of: {}", words.join(", "));
            return self.wrong_type(path, "a text", value, help);
        };
        if words.contains(&&**word) {
            return;
        }
        let path = path.to_string();
        if LATER.contains(&&**word) {
            let help = format!("it comes with a later version; there are: {}", words.join(", "));
            let sentence = format!("`{key} = \"{word}\"` is not built yet");
            return self.fault(ShapeFaultKind::LaterWord, path, sentence, help);
        }
        let help = match nearest(word, words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", words.join(", ")),
        };
        self.fault(ShapeFaultKind::UnknownWord, path, format!("this is none of the words that `{key}` knows"), help);
    }
}

/// A table under its path. What is absent or of a wrong type, which has been noted, is read as nothing.
pub(crate) struct Table<'n, 'a> {
    pub path: String,
    pairs: Pairs<'n, 'a>,
}

impl<'n, 'a> Table<'n, 'a> {
    pub(super) fn of(value: &'n Value<'a>, path: String) -> Table<'n, 'a> {
        let pairs: Pairs<'n, 'a> = match value {
            Value::Table(pairs) => pairs,
            _ => &[],
        };
        Table { path, pairs }
    }

    /// Null counts as absent. Of a repeated key the first; that it is repeated has been noted.
    pub(crate) fn value(&self, key: &str) -> Option<&'n Value<'a>> {
        let (_, node) = self.pairs.iter().find(|(name, _)| name == key)?;
        (!matches!(node.0, Value::Null)).then_some(&node.0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    pub(crate) fn path_of(&self, key: &str) -> String {
        join_key(&self.path, key)
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'n str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Empty where it is absent.
    pub(super) fn name(&self, key: &str) -> Box<str> {
        self.text(key).unwrap_or("").into()
    }

    pub(super) fn names(&self, key: &str) -> Option<Vec<Box<str>>> {
        self.each(key, |text| Some(text.into()))
    }

    /// What a list's texts say; those that say nothing have been noted.
    pub(super) fn each<T>(&self, key: &str, of_text: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        let Value::List(nodes) = self.value(key)? else { return None };
        let of_node = |node: &Node<'_>| match &node.0 {
            Value::Text(text) => of_text(text),
            _ => None,
        };
        Some(nodes.iter().filter_map(of_node).collect())
    }

    /// Those of a list; one that does not fit is above its limit, whatever it is.
    pub(super) fn numbers(&self, key: &str) -> Vec<u16> {
        let Some(Value::List(nodes)) = self.value(key) else { return Vec::new() };
        let number = |node: &Node<'_>| whole_of(&node.0).map(|number| u16::try_from(number).unwrap_or(u16::MAX));
        nodes.iter().filter_map(number).collect()
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    pub(super) fn whole(&self, key: &str) -> Option<u64> {
        whole_of(self.value(key)?)
    }

    /// A number that does not fit is above its limit, whatever it is: content, not shape.
    pub(super) fn count(&self, key: &str) -> Option<u32> {
        self.whole(key).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// As `count`.
    pub(super) fn small(&self, key: &str) -> Option<u8> {
        self.whole(key).map(|number| u8::try_from(number).unwrap_or(u8::MAX))
    }

    /// Seconds, as milliseconds.
    pub(super) fn ms(&self, key: &str) -> Option<u64> {
        ms_of(self.value(key)?)
    }

    /// A share from 0 to 1, as thousandths.
    pub(super) fn share_permille(&self, key: &str) -> Option<u16> {
        number_of(self.value(key)?).map(|share| (share * 1_000.0).round() as u16)
    }

    pub(super) fn word<T>(&self, key: &str, from_word: impl Fn(&str) -> Option<T>) -> Option<T> {
        from_word(self.text(key)?)
    }

    /// In the order of the names.
    pub(super) fn wholes(&self, key: &str) -> Vec<(Box<str>, u64)> {
        let of_one = |(name, value, _): (&'n str, &'n Value<'a>, String)| (name.into(), whole_of(value).unwrap_or(0));
        self.by_name(key).into_iter().map(of_one).collect()
    }

    pub(super) fn levels(&self, key: &str) -> Vec<SkillLevel> {
        let level = |(name, level)| SkillLevel { name, level: u8::try_from(level).unwrap_or(u8::MAX) };
        self.wholes(key).into_iter().map(level).collect()
    }

    /// Their values as texts, in the order of the names.
    pub(super) fn attributes(&self, key: &str) -> Vec<(Box<str>, Box<str>)> {
        let of_one =
            |(name, value, _): (&'n str, &'n Value<'a>, String)| Some((name.into(), attribute_of(value)?.into()));
        self.by_name(key).into_iter().filter_map(of_one).collect()
    }

    pub(super) fn table(&self, key: &str) -> Option<Table<'n, 'a>> {
        let value = self.value(key)?;
        matches!(value, Value::Table(_)).then(|| Table::of(value, self.path_of(key)))
    }

    /// Tables keyed by a name, in the order of the names.
    pub(super) fn named(&self, key: &str) -> Vec<(&'n str, Table<'n, 'a>)> {
        self.by_name(key).into_iter().map(|(name, value, path)| (name, Table::of(value, path))).collect()
    }

    pub(crate) fn tables(&self, key: &str) -> Vec<Table<'n, 'a>> {
        let Some(Value::List(nodes)) = self.value(key) else { return Vec::new() };
        let path = self.path_of(key);
        nodes.iter().enumerate().map(|(i, node)| Table::of(&node.0, format!("{path}[{i}]"))).collect()
    }

    fn by_name(&self, key: &str) -> Vec<(&'n str, &'n Value<'a>, String)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let table = Table::of(value, self.path_of(key));
        let mut named: Vec<_> =
            table.pairs.iter().map(|(name, node)| (&**name, &node.0, table.path_of(name))).collect();
        named.sort_by_key(|(name, ..)| *name);
        named
    }
}

fn number_of(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Whole(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

fn whole_of(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Whole(number) => Some(*number),
        _ => None,
    }
}

fn ms_of(value: &Value<'_>) -> Option<u64> {
    // Far above every bound of a policy, far below the end of u64.
    const S_MAX: f64 = 1e15;
    let seconds = number_of(value)?;
    (0.0..=S_MAX).contains(&seconds).then(|| (seconds * 1_000.0).round() as u64)
}

fn attribute_of(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_string()),
        Value::Flag(flag) => Some(flag.to_string()),
        Value::Whole(number) => Some(number.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What stands where a table must, as one: a text is taken for the key that the table cannot do without.
fn as_table(value: &Value<'_>, keys: Keys) -> String {
    let first = keys.iter().copied().flatten().find(|key| key.required);
    match (value, first) {
        (Value::Text(text), Some(key)) if text.chars().count() <= 64 => {
            format!("write {{ {} = \"{text}\" }}", key.name)
        }
        (Value::List(_), _) => "one pair of brackets makes a table, two make a list of them".to_string(),
        _ => String::new(),
    }
}

/// A path as the header of its table: without places in lists.
fn header(path: &str) -> String {
    let mut in_brackets = false;
    let keep = |letter: &char| {
        in_brackets = (in_brackets || *letter == '[') && *letter != ']';
        !in_brackets && *letter != ']'
    };
    path.chars().filter(keep).collect()
}

/// What to do about a key that a table does not have: a typing error, or a key of another table.
fn meant(name: &str, keys: Keys) -> String {
    const TYPING_ERROR: usize = 2;
    let here: Vec<&str> = keys.iter().copied().flatten().map(|key| key.name).collect();
    let near = nearest(name, &here);
    let homes_of = |name: &str| Some(homes(name)).filter(|homes| (1..=3).contains(&homes.len()));
    match (near, homes_of(name)) {
        (Some(near), _) if distance(name, near) <= TYPING_ERROR => format!("did you mean `{near}`?"),
        (_, Some(homes)) => format!("it is a key of {}", homes.join(" and of ")),
        (Some(near), None) => format!("did you mean `{near}`?"),
        (None, None) => match nearest(name, &names()).and_then(|near| Some((near, homes_of(near)?))) {
            Some((near, homes)) => format!("did you mean `{near}`? It is a key of {}", homes.join(" and of ")),
            None => format!("the keys here are: {}", here.join(", ")),
        },
    }
}

/// The known word within a third of its letters (Levenshtein), the first of equals.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    if word.len() > 64 {
        return None;
    }
    let near = known.iter().map(|candidate| (distance(word, candidate), *candidate)).min_by_key(|(d, _)| *d)?;
    (near.0 <= near.1.len().div_ceil(3)).then_some(near.1)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for j in 0..b.len() {
            let substituted = diagonal + usize::from(letter != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
