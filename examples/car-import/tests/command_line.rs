//! Tests of the program with the files beside this one: output and exit status.
#![expect(clippy::expect_used, reason = "a failed test panics")]

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// The result of a call: exit status, standard output and standard error.
type Outcome = (i32, String, String);

/// Runs the program in the folder of the files, with a fixed year.
fn car_import(arguments: &[&str], input: &[u8]) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_car-import"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that does not read its input may end before the input is written.
    child.stdin.take().expect("it is piped").write_all(input).ok();
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes| String::from_utf8(bytes).expect("it is UTF-8");
    let status = output.status.code().expect("no signal ends it");
    (status, text(output.stdout), text(output.stderr))
}

fn check(file: &str) -> Outcome {
    car_import(&["--year", "2026", file], b"")
}

#[test]
fn valid_file_exits_with_0() {
    let expected = (0, "fine.csv: 3 rows, all fine\n".into(), String::new());
    assert_eq!(check("fine.csv"), expected);
}

#[test]
fn faults_are_listed_and_exit_with_1() {
    let (status, said, complaints) = check("faulty.csv");
    let expected = "\
faulty.csv:3: brand is missing
faulty.csv:3: year is less than 1886
faulty.csv:3: vin is no vehicle identification number: 17 digits and letters, none of them I, O or Q
faulty.csv:3: mileage is less than 0
faulty.csv:3: license is that of line 2 already
faulty.csv:4: year is not a whole number
faulty.csv:4: mileage is not a whole number
faulty.csv:5: year is more than 2027
faulty.csv:5: license is that of line 4 already
faulty.csv:6: the row has 4 cells, but there are 7 columns
faulty.csv: 5 rows: 1 fine, 4 with faults; columns that were not read: owner
";
    assert_eq!(said, expected);
    assert_eq!((status, complaints), (1, String::new()));
}

#[test]
fn invalid_file_exits_with_2() {
    for (file, complaint) in [
        (
            "missing_columns.csv",
            "there is no column year, license; the first line must name the columns",
        ),
        (
            "semicolons.csv",
            "there is no column brand, model, year, license; it has semicolons, but the cells must be separated by \
             commas",
        ),
        (
            "latin1.csv",
            "line 3 is not UTF-8; save the file as \"CSV UTF-8\" and try again",
        ),
        (
            "empty.csv",
            "the file is empty; its first line should name the columns",
        ),
    ] {
        let complaint = format!("car-import: {file}: {complaint}\n");
        assert_eq!(check(file), (2, String::new(), complaint));
    }
    let (status, said, complaint) = check("nowhere.csv");
    assert_eq!((status, said), (2, String::new()));
    assert!(
        complaint.starts_with("car-import: nowhere.csv: the file can't be read: "),
        "{complaint}"
    );
}

#[test]
fn standard_input_is_read_without_a_file() {
    let input = "brand,model,year,license\nVW,Golf,2020,A 1\nVW,Golf,2020,a 1\n";
    for arguments in [&["--year", "2026"][..], &["--year", "2026", "-"]] {
        let (status, said, _) = car_import(arguments, input.as_bytes());
        let expected =
            "<stdin>:3: license is that of line 2 already\n<stdin>: 2 rows: 1 fine, 1 with faults\n";
        assert_eq!((status, said.as_str()), (1, expected));
    }
}

#[test]
fn year_after_the_current_one_is_the_maximum() {
    let (_, said, _) = car_import(&[], b"brand,model,year,license\nVW,Golf,9999,A 1\n");
    let bound = said
        .split("more than ")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    let next_year: i32 = bound.and_then(|year| year.parse().ok()).expect("it is a year");
    let of = |year: i32| {
        let input = format!("brand,model,year,license\nVW,Golf,{year},A 1\n");
        car_import(&["--year", &(next_year - 1).to_string()], input.as_bytes()).0
    };
    assert!(next_year > 2026);
    assert_eq!((of(next_year), of(next_year + 1)), (0, 1));
}

#[test]
fn help_and_version_are_printed() {
    for option in ["-h", "--help"] {
        let (status, said, _) = car_import(&[option], b"");
        assert_eq!(status, 0);
        assert!(said.contains("Usage: car-import [--year YEAR] [FILE]"), "{said}");
    }
    let version = format!("car-import {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(car_import(&["--version"], b""), (0, version, String::new()));

    for (arguments, complaint) in [
        (
            &["--yaer"][..],
            "there is no option `--yaer`; see `car-import --help`",
        ),
        (
            &["--year", "soon"],
            "`--year` wants a calendar year after it, such as 2026",
        ),
        (
            &["--year"],
            "`--year` wants a calendar year after it, such as 2026",
        ),
        (&["a.csv", "b.csv"], "one file at a time; see `car-import --help`"),
    ] {
        let complaint = format!("car-import: {complaint}\n");
        assert_eq!(car_import(arguments, b""), (2, String::new(), complaint));
    }
}
