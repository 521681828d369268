//! Holds documents to the settings that there are. The second half of `docs/configuration.md` is made here: of
//! `default.toml` (what each setting means, its default), of the type of the settings (what it takes) and of the
//! files of the environments (where they differ). Where `UPDATE_DOCS` is `1`, the test writes it anew.

use std::{collections::BTreeSet, env, fmt::Write as _, fs, mem, path::Path};

use config::{Config, File, FileFormat, Value, ValueKind};

use tempfile::TempDir;

use super::{Given, Settings, SettingsError, Variables, layers};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What surrounds the generated part; the rest is written by hand.
const BEGIN: &str =
    "<!-- The settings begin: made anew by UPDATE_DOCS=1 cargo test -p mycars-server configuration -->";
const END: &str = "<!-- The settings end. -->";

/// The settings of a section, in the order of `default.toml`.
struct Section {
    /// Empty for those before the first section.
    name: String,
    about: String,
    settings: Vec<Setting>,
}

/// A setting, as `default.toml` has it.
struct Setting {
    key: String,
    comment: String,
}

#[test]
fn the_document_of_the_configuration_is_current() {
    let path = format!("{ROOT}/docs/configuration.md");
    let document = fs::read_to_string(&path).unwrap();
    let (before, rest) = document
        .split_once(BEGIN)
        .expect("it says where the settings begin");
    let (_, after) = rest.split_once(END).expect("it says where the settings end");
    let current = format!("{before}{BEGIN}\n\n{}\n{END}{after}", render());
    if env::var("UPDATE_DOCS").is_ok_and(|update| update == "1") {
        fs::write(path, current).unwrap();
    } else {
        assert!(
            document == current,
            "docs/configuration.md does not say what the settings are now. This makes it anew:\n\n    \
             UPDATE_DOCS=1 cargo test -p mycars-server configuration\n"
        );
    }
}

#[test]
fn the_document_of_the_configuration_has_every_setting() {
    let sections = sections();
    let settings = sections.iter().flat_map(|section| &section.settings);
    let keys: BTreeSet<String> = settings.map(|setting| setting.key.clone()).collect();
    let all: BTreeSet<String> = layers::keys().unwrap().into_keys().collect();
    assert_eq!(keys, all);
}

#[test]
fn documents_name_no_variable_that_is_no_setting() {
    let variables: BTreeSet<String> = layers::keys().unwrap().into_values().collect();
    let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
    for (path, text) in documents() {
        for (start, prefix) in text.match_indices("MYCARS__") {
            let rest = &text[start + prefix.len()..];
            let name = rest.split(|c| !is_part(c)).next().unwrap();
            let variable = format!("{prefix}{name}");
            assert!(
                name.is_empty() || variables.contains(&variable),
                "{path}: {variable}"
            );
        }
    }
}

#[test]
fn the_readme_names_the_defaults_that_there_are() {
    let readme = fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    let mut count = 0;
    for (key, variable) in layers::keys().unwrap() {
        let row = format!("| `{variable}` | `");
        for line in readme.lines().filter_map(|line| line.strip_prefix(&row)) {
            let default = line.split('`').next().unwrap();
            assert_eq!(
                Some(format!("`{default}`")),
                value(layers::DEFAULT, &key),
                "{variable}"
            );
            count += 1;
        }
    }
    assert!(count >= 3, "the table of the settings was not found");
}

#[test]
fn the_examples_in_the_document_of_the_configuration_are_accepted() {
    let environments: Vec<Variables> = examples("bash").iter().map(|text| assignments(text)).collect();
    for environment in &environments {
        let settings = Settings::load(environment, Path::new("/nowhere")).unwrap();
        assert!(!settings.debug);
    }

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("config/production.toml");
    fs::create_dir(file.parent().unwrap()).unwrap();
    for example in examples("toml") {
        fs::write(&file, example).unwrap();
        let settings = Settings::load(&environments[0], folder.path()).unwrap();
        assert_eq!(settings.allowed_hosts, ["cars.example.org"]);
    }
}

/// The blocks of this language in the document of the configuration.
fn examples(language: &str) -> Vec<String> {
    let document = fs::read_to_string(format!("{ROOT}/docs/configuration.md")).unwrap();
    let fence = format!("\n```{language}\n");
    let blocks = document.split(&fence).skip(1);
    let examples: Vec<_> = blocks
        .map(|rest| rest.split("\n```").next().unwrap().to_owned())
        .collect();
    assert!(!examples.is_empty(), "{language}");
    examples
}

/// The variables that an example sets. A key is left out there, and made up here.
fn assignments(example: &str) -> Variables {
    let assignment = |line: &str| {
        let (name, value) = line.split(' ').next()?.split_once('=')?;
        Some((
            name.to_owned(),
            value.replace('…', "0123456789abcdef0123456789abcdef"),
        ))
    };
    example
        .lines()
        .map(|line| assignment(line).expect(line))
        .collect()
}

/// The documents that are about running the server, with their paths.
fn documents() -> impl Iterator<Item = (String, String)> {
    let others = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Dockerfile",
        "docker-compose.yml",
    ];
    let docs = fs::read_dir(format!("{ROOT}/docs")).unwrap();
    docs.map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .chain(others.map(|name| Path::new(ROOT).join(name)))
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
}

fn render() -> String {
    let sections = sections();
    let contents = sections.iter().map(Section::contents);
    let contents = contents.collect::<Vec<_>>().join("\n");
    let sections = sections.iter().map(Section::render);
    format!("{contents}\n{}", sections.collect::<String>())
}

/// What `default.toml` says, section by section. A comment belongs to the line below it.
fn sections() -> Vec<Section> {
    let mut sections = vec![Section {
        name: String::new(),
        about: "What is in no section: what a server in earnest needs, and where it keeps its files.".into(),
        settings: Vec::new(),
    }];
    let mut comment = Vec::new();
    for line in layers::DEFAULT.lines() {
        if let Some(text) = line.strip_prefix("# ") {
            comment.push(text);
            continue;
        }
        let comment = mem::take(&mut comment).join(" ");
        let header = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(name) = header {
            sections.push(Section {
                name: name.to_owned(),
                about: comment,
                settings: Vec::new(),
            });
        } else if let Some((name, _)) = line.split_once(" = ") {
            let section = sections.last_mut().unwrap();
            let key = match section.name.as_str() {
                "" => name.to_owned(),
                section => format!("{section}.{name}"),
            };
            section.settings.push(Setting { key, comment });
        }
    }
    sections
}

impl Section {
    fn title(&self) -> String {
        match self.name.as_str() {
            "" => "Top level".to_owned(),
            name => format!("`[{name}]`"),
        }
    }

    fn contents(&self) -> String {
        let links: Vec<String> = self.settings.iter().map(Setting::link).collect();
        format!("- {}: {}", self.title(), links.join(", "))
    }

    fn render(&self) -> String {
        let settings: String = self.settings.iter().map(Setting::render).collect();
        format!("\n### {}\n\n{}\n{settings}", self.title(), with_code(&self.about))
    }
}

impl Setting {
    fn variable(&self) -> String {
        layers::variable(&self.key)
    }

    fn link(&self) -> String {
        let variable = self.variable();
        format!("[`{variable}`](#{})", variable.to_lowercase())
    }

    fn render(&self) -> String {
        let (meaning, is_list) = self.meaning();
        let mut text = format!("\n#### `{}`\n\n{}\n\n", self.variable(), with_code(meaning));
        writeln!(text, "- Key: `{}`", self.key).unwrap();
        writeln!(text, "- Default: {}", self.defaults().join(", in ")).unwrap();
        let list = if is_list {
            "; in a variable, separated by commas"
        } else {
            ""
        };
        writeln!(text, "- Takes {}{list}", with_code(&expected(&self.key))).unwrap();
        text
    }

    /// The default, and what the files of the environments have in its place.
    fn defaults(&self) -> Vec<String> {
        let of_file = |(name, toml)| {
            let value = value(toml, &self.key)?;
            Some(if name == "default" {
                value
            } else {
                format!("{name} {value}")
            })
        };
        layers::BUILT_IN.into_iter().filter_map(of_file).collect()
    }

    /// What the comment says before the variable in brackets at its end, and whether it says there that the value
    /// is a list.
    fn meaning(&self) -> (&str, bool) {
        let variable = self.variable();
        let before = |end: String| self.comment.strip_suffix(&end);
        match (
            before(format!(" [{variable}]")),
            before(format!(" [{variable}, comma-separated]")),
        ) {
            (Some(meaning), _) => (meaning, false),
            (None, Some(meaning)) => (meaning, true),
            (None, None) => panic!("the comment of {} does not end in [{variable}]", self.key),
        }
    }
}

/// The value of a setting in a file, if it is there, as one writes it in a variable.
fn value(toml: &str, key: &str) -> Option<String> {
    let config = Config::builder()
        .add_source(File::from_str(toml, FileFormat::Toml))
        .build()
        .unwrap();
    let text = match config.get::<Value>(key).ok()?.kind {
        ValueKind::Array(items) => {
            let items: Vec<String> = items.iter().map(ToString::to_string).collect();
            items.join(",")
        }
        other => other.to_string(),
    };
    Some(if text.is_empty() {
        "not set".to_owned()
    } else {
        format!("`{text}`")
    })
}

/// What a setting takes, in the words of the error that another value gets: no setting takes a fraction.
fn expected(key: &str) -> String {
    let config = Config::builder()
        .add_source(File::from_str(layers::DEFAULT, FileFormat::Toml))
        .set_override(key, 0.5)
        .unwrap()
        .build()
        .unwrap();
    let root = config.cache.clone();
    let error = config.try_deserialize::<Given>().err().unwrap();
    match layers::explain(error, &root) {
        SettingsError::Wrong { expected, .. } => expected,
        other => panic!("{key}: {other}"),
    }
}

/// Shows as code what is no word: values, names of files and of settings.
fn with_code(text: &str) -> String {
    let is_word = |word: &str| word.chars().all(|c| c.is_alphanumeric() || "'-".contains(c));
    let marked = text.split(' ').map(|part| {
        let part_of = part.trim_start_matches(['(', '"']);
        let word = part_of.trim_end_matches([',', '.', ';', ':', ')', '"']);
        if is_word(word) {
            part.to_owned()
        } else {
            part.replacen(word, &format!("`{word}`"), 1)
        }
    });
    marked.collect::<Vec<_>>().join(" ")
}
