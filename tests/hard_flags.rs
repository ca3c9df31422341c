//! Every flag of every command and every setting, with values that it cannot have: one error that names
//! it, and the exit code of wrong flags. Flags come from clap's own tree and settings from their
//! catalogue, so that a new one is tested as soon as it is there.

use std::any::TypeId;

use clap::{Arg, ArgAction, Command as Tree, CommandFactory as _, Parser as _};
use native::cli::{Cli, Command};
use native::exit::Exit;
use native::settings::{resolve, resolve_bench, resolve_train};
use serde_json::{Value, json};
use smoothdarts::config::layers::{Origin, Resolver, settings};
use smoothdarts::config::{Config, Setting};

/// More than any integer holds.
const HUGE: &str = "99999999999999999999999999999999999999999";

/// What a flag reads.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Choice,
    Integer,
    Real,
    Text,
    Nothing,
}

fn kind(arg: &Arg) -> Kind {
    let reads = |id: TypeId| arg.get_value_parser().type_id() == id;
    let integers = [TypeId::of::<usize>(), TypeId::of::<u32>(), TypeId::of::<u64>()];
    match () {
        () if !arg.get_action().takes_values() => Kind::Nothing,
        () if !arg.get_possible_values().is_empty() => Kind::Choice,
        () if integers.into_iter().any(reads) => Kind::Integer,
        () if reads(TypeId::of::<f64>()) => Kind::Real,
        () => Kind::Text,
    }
}

/// A value that a flag can have.
fn value(arg: &Arg) -> String {
    match (kind(arg), arg.get_id().as_str()) {
        (Kind::Choice, _) => arg.get_possible_values()[0].get_name().to_owned(),
        (_, "hessian") => "every=1".to_owned(),
        (_, "set") => "search.epochs=1".to_owned(),
        (Kind::Integer | Kind::Real, _) => "1".to_owned(),
        _ => "x".to_owned(),
    }
}

/// A command with what it requires, but for one argument.
fn least(command: &Tree, without: &Arg) -> Vec<String> {
    // A command of another one is called with the names of both.
    let names = command.get_bin_name().unwrap_or_default();
    let mut line: Vec<String> = names.split(' ').map(str::to_owned).collect();
    for arg in command.get_positionals() {
        if arg.is_required_set() && arg.get_id() != without.get_id() {
            let most = arg.get_num_args().map_or(1, |count| count.min_values());
            line.extend(std::iter::repeat_n(value(arg), most.max(1)));
        }
    }
    line
}

/// How errors call an argument.
fn shown(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => arg.get_value_names().map_or(String::new(), |names| format!("<{}>", names[0])),
    }
}

/// The error of a command line, which must be that of wrong flags and name this one.
#[track_caller]
fn refused(line: &[String], named: &str) {
    let error = Cli::try_parse_from(line).map(drop).expect_err(&format!("{line:?} is taken"));
    assert_eq!(error.exit_code(), 2, "{line:?}: {error}");
    assert!(error.to_string().contains(named), "{line:?}: {error} lacks {named}");
}

/// Every argument of every command.
fn arguments() -> Vec<(Tree, Arg)> {
    let mut tree = Cli::command();
    tree.build();
    of(&tree)
}

/// Those of a command, or of the commands in it.
fn of(command: &Tree) -> Vec<(Tree, Arg)> {
    let inner = command.get_subcommands().filter(|inner| inner.get_name() != "help");
    let own =
        command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()));
    let own = own.map(|arg| (command.clone(), arg.clone()));
    own.chain(inner.flat_map(of)).collect()
}

#[test]
fn a_flag_refuses_every_value_that_is_not_of_its_kind() {
    let mut cases = 0;
    for (command, arg) in arguments() {
        let shown = shown(&arg);
        let wrong: &[&str] = match kind(&arg) {
            Kind::Choice => &["x!", "", "-1", "1.5", HUGE],
            Kind::Integer => &["x!", "", "-1", "one", "0x10", "1e!", "∞", "nan"],
            Kind::Real => &["x!", "", "one", "1,5"],
            Kind::Text | Kind::Nothing => &[],
        };
        // Bytes are a real number, and one that is too large is all that there are.
        let huge = kind(&arg) == Kind::Integer && arg.get_id() != "memory_limit";
        for value in wrong.iter().chain(huge.then_some(&HUGE)) {
            let mut line = least(&command, &arg);
            match arg.get_long() {
                Some(long) => line.push(format!("--{long}={value}")),
                None => line.push((*value).to_owned()),
            }
            // What begins with a dash is taken for a flag where no flag stands before it.
            let dashed = arg.get_long().is_none() && value.starts_with('-');
            refused(&line, if dashed { value } else { &shown });
            cases += 1;
        }
        // What has a value needs one, unless it may do without, and what has none takes none.
        let optional = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
        if let Some(long) = arg.get_long().filter(|_| kind(&arg) == Kind::Nothing || !optional) {
            let value = if kind(&arg) == Kind::Nothing { "=yes" } else { "" };
            refused(&[least(&command, &arg), vec![format!("--{long}{value}")]].concat(), &shown);
            cases += 1;
        }
    }
    assert!(cases > 200, "{cases}");
}

/// `--config A --config B`: which of them was meant, nobody knows.
#[test]
fn a_flag_that_is_given_twice_is_refused_by_its_name() {
    let mut cases = 0;
    for (command, arg) in arguments() {
        let Some(long) = arg.get_long() else { continue };
        if matches!(arg.get_action(), ArgAction::Append) {
            continue;
        }
        let flag = match kind(&arg) {
            Kind::Nothing => format!("--{long}"),
            _ => format!("--{long}={}", value(&arg)),
        };
        let mut line = least(&command, &arg);
        line.extend([flag.clone(), flag]);
        refused(&line, &format!("--{long}"));
        cases += 1;
    }
    assert!(cases > 50, "{cases}");
    // What adds up may be given again.
    let sets = ["sdarts", "search", "--set=seed=1", "--set=seed=2"];
    assert!(Cli::try_parse_from(sets).is_ok());
}

/// The exit code and the error of the settings of a command line.
fn resolved(line: &[&str]) -> (u8, String) {
    let cli = match Cli::try_parse_from(line) {
        Ok(cli) => cli,
        Err(error) => return (error.exit_code() as u8, error.to_string()),
    };
    let resolved = match &cli.command {
        Command::Search(args) => resolve(args),
        Command::Train(args) => resolve_train(&args.run, Some("DARTS_V2".to_owned())),
        Command::Bench(args) => resolve_bench(args),
        _ => panic!("{line:?} has no settings"),
    };
    let error = resolved.map(drop).expect_err(&format!("{line:?} is taken"));
    let exit = Exit::of(&error);
    (exit.code(), exit.message(&error))
}

#[test]
fn a_flag_that_names_something_refuses_what_is_not_in_the_catalogue() {
    for command in ["search", "train", "bench"] {
        for flag in
            ["preset", "space", "data", "device", "kernels", "mode", "method", "perturbation"]
        {
            if command != "search" && ["method", "perturbation"].contains(&flag) {
                continue;
            }
            for value in ["x!", "", "-1", HUGE] {
                let given = format!("--{flag}={value}");
                let (code, said) = resolved(&["sdarts", command, &given]);
                assert_eq!(code, 2, "{command} {given}: {said}");
                assert!(said.contains(flag), "{command} {given}: {said}");
            }
        }
    }
}

/// What a setting says to a value: nothing, or its error.
fn as_text(setting: &Setting, text: &str) -> Result<(), String> {
    let (name, mut layers) = (setting.name(), Resolver::default());
    let result = layers.texts([(name.as_str(), text)], &Origin::Flag);
    result.map_err(|error| error.to_string())
}

fn as_table(setting: &Setting, value: Value) -> Result<(), String> {
    let table = match setting.section {
        "" => json!({ (setting.key): value }),
        section => json!({ (section): { (setting.key): value } }),
    };
    let result = Resolver::default().table(&table, &Origin::File("config.toml".to_owned()));
    result.map_err(|error| error.to_string())
}

fn catalogue() -> Vec<(&'static Setting, Value)> {
    let config = Config::default();
    let of = |setting: &'static Setting| (setting, setting.value(&config));
    // A section is told apart in tests/hard_inputs.rs.
    settings().map(of).filter(|(_, value)| !value.is_object()).collect()
}

#[test]
fn a_setting_refuses_every_value_of_another_type() {
    let mut cases = 0;
    for (setting, default) in catalogue() {
        let (texts, values): (&[&str], Vec<Value>) = match &default {
            Value::Number(number) if number.is_u64() => (
                &["x!", "", "-1", "1.5", HUGE, "true", "null", "[1]", "{}", "\"1\""],
                vec![json!(-1), json!(1.5), json!("1"), json!(true), json!([1]), json!({"a": 1})],
            ),
            Value::Number(_) => (
                &["x!", "", "true", "null", "[1]", "{}", "1e999", "\"1\""],
                vec![json!("1"), json!(true), json!([1.0]), json!({"a": 1}), Value::Null],
            ),
            Value::Bool(_) => (
                &["x!", "", "1", "-1", "null", "[true]", "{}", "yes"],
                vec![json!("true"), json!(1), json!(0.5), json!([true]), Value::Null],
            ),
            // A text may be any, but for a choice; which it is, the setting says.
            _ if as_text(setting, "x!").is_ok() => (
                &[],
                vec![json!(1), json!(0.5), json!(true), json!(["x"]), json!({"a": 1}), Value::Null],
            ),
            _ => (
                &["x!", "", "-1", "true"],
                vec![json!(1), json!(0.5), json!(true), json!(["x"]), json!({"a": 1}), Value::Null],
            ),
        };
        let name = setting.name();
        let told = texts.iter().map(|text| (format!("{name}={text}"), as_text(setting, text)));
        let written =
            values.into_iter().map(|it| (format!("{name} = {it}"), as_table(setting, it)));
        for (case, outcome) in told.chain(written) {
            let Err(said) = outcome else { panic!("{case} is taken") };
            assert!(said.contains(&name), "{case}: {said}");
            cases += 1;
        }
    }
    assert!(cases > 500, "{cases}");
}

#[test]
fn a_number_of_the_right_type_is_taken_or_refused_by_its_name() {
    for (setting, default) in catalogue() {
        let values: &[&str] = match &default {
            Value::Number(number) if number.is_u64() => &["0", "1", "9223372036854775807"],
            Value::Number(_) => &["-1e308", "-1", "-0.0", "0", "1e-308", "1", "1e308"],
            _ => &[],
        };
        for value in values {
            let (name, mut layers) = (setting.name(), Resolver::default());
            layers.texts([(name.as_str(), *value)], &Origin::Flag).unwrap();
            if let Err(error) = layers.finish() {
                let said = error.to_string();
                assert!(said.contains(&name), "{name}={value}: {said}");
            }
        }
    }
}
