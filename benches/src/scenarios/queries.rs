//! The statements of each request, as PostgreSQL logs them, and how both databases run them.
//!
//! What is explained is what the server sent, so that it can't differ from it. SQLite is given the same queries:
//! Diesel writes them alike, but for lists of values.

use std::fmt::Write as _;

use crate::{
    Bench, Outcome,
    client::{Client, upload},
    database::{Connection, Kind, OWNER_OF_20, username},
    load::Request,
    rows::{LIST_OF_20, LIST_OF_1000, READ, ROWS, Row, plates},
    site::Site,
};

/// What the log says before a statement, without parameters and with, and before what was bound to it.
const SIMPLE: &str = "LOG:  statement: ";
const PREPARED: &str = "LOG:  execute ";
const PARAMETERS: &str = "DETAIL:  parameters: ";

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    bench
        .report
        .heading("Statements of each request, on PostgreSQL")?;
    let database = bench.database(Kind::Postgres)?;
    let sqlite = bench.database(Kind::Sqlite)?;
    let mut connection = database.connect()?;
    connection.execute("ALTER DATABASE large SET log_statement = 'all'")?;
    let asked =
        Site::open(&bench.programs, &database, &bench.picture).and_then(|site| ask_for_all(bench, &site));
    connection.execute("ALTER DATABASE large RESET log_statement")?;

    let mut sqlite = sqlite.connect()?;
    let mut table = Vec::new();
    let (mut sent, mut plans) = (String::new(), [String::new(), String::new()]);
    for (row, statements) in asked? {
        table.push(vec![row.name.to_owned(), statements.len().to_string()]);
        if [READ, LIST_OF_20, LIST_OF_1000].contains(&row.name) {
            let goal = format!(
                "statements, {}: 2, of who asks and of what is asked for",
                row.name
            );
            bench
                .report
                .goal(&goal, statements.len().to_string(), statements.len() == 2);
        }
        writeln!(sent, "## {}\n", row.name)?;
        for statement in &statements {
            writeln!(sent, "{statement}\n")?;
        }
        for (plans, connection) in plans.iter_mut().zip([&mut connection, &mut sqlite]) {
            writeln!(plans, "## {}\n", row.name)?;
            explain(plans, connection, &statements)?;
        }
    }
    bench.report.table(&["what", "statements"], &table)?;
    bench.report.file("statements.txt", &sent)?;
    bench.report.file("plans-postgres.txt", &plans[0])?;
    bench.report.file("plans-sqlite.txt", &plans[1])
}

/// Asks for every row twice, and answers the statements of the second time: the first may have to prepare.
fn ask_for_all<'a>(bench: &Bench, site: &Site) -> Outcome<Vec<(&'a Row, Vec<String>)>> {
    // One request after the other takes the connections of the pool in turn, and prepares on each.
    let mut asked = Vec::new();
    for row in ROWS {
        ask(bench, site, row)?;
        let before = bench.cluster.log()?.len();
        ask(bench, site, row)?;
        asked.push((row, statements(&bench.cluster.log()?[before..])));
    }
    Ok(asked)
}

/// One request as the row's script sends it.
fn ask(bench: &Bench, site: &Site, row: &Row) -> Outcome<()> {
    let Request {
        path,
        headers,
        script,
        ..
    } = (row.request)(site);
    let client = Client::new(&site.mycars.url);
    let json = |method: &str, path: &str, token: &str, body: &str| {
        let headers = [
            ("Content-Type", "application/json"),
            ("Authorization", &*format!("Bearer {token}")),
        ];
        client.send(method, path, &headers, body.as_bytes())
    };
    let answer = match script {
        "create" => {
            // The two requests may come within one second.
            let plate = format!("{}-{}", plates(), bench.cluster.log()?.len());
            let body = format!(
                r#"{{"brand":"Toyota","model":"Corolla","year":2019,"color":"Silver","license":"{plate}",
                    "vin":"WVWZZZ1JZXW000001","mileage":15000,"notes":"Winter tyres are in the cellar."}}"#
            );
            json("POST", &path, &site.buyer, &body)?
        }
        "update" => {
            let mileage = format!(r#"{{"mileage":{}}}"#, bench.cluster.log()?.len() % 1_000_000);
            json("PATCH", &site.car(), &site.owner_of_20, &mileage)?
        }
        "login" => client.ask_for_token(&username(OWNER_OF_20))?,
        "upload" => {
            let car = site.other_cars().next().unwrap_or_default();
            client.upload(
                &format!("{car}upload-image/"),
                &site.owner_of_20,
                &upload(&bench.picture),
            )?
        }
        _ => client.get(&path, &headers)?,
    };
    if answer.status < 300 {
        Ok(())
    } else {
        Err(format!("{}: {}", row.name, answer.status).into())
    }
}

/// The statements in a piece of the log, each with what was bound to it in place.
fn statements(log: &str) -> Vec<String> {
    let mut logged: Vec<(String, String)> = Vec::new();
    let mut is_parameters = false;
    for line in log.lines() {
        if let Some((_, statement)) = line.split_once(SIMPLE) {
            logged.push((statement.to_owned(), String::new()));
            is_parameters = false;
        } else if let Some((_, statement)) = line.split_once(PREPARED) {
            let (_name, statement) = statement.split_once(": ").unwrap_or_default();
            logged.push((statement.to_owned(), String::new()));
            is_parameters = false;
        } else if let Some((statement, parameters)) = logged.last_mut() {
            // What was bound follows, and either may go on in further lines.
            let further = line.strip_prefix('\t').map(|rest| format!("\n{rest}"));
            let first = line.split_once(PARAMETERS).map(|(_, rest)| rest.to_owned());
            is_parameters |= first.is_some();
            let part = if is_parameters { parameters } else { statement };
            part.extend(first.or(further));
        }
    }
    logged
        .iter()
        .map(|(statement, parameters)| bound(statement, parameters))
        .collect()
}

/// A statement with its parameters, as the log writes them: `$1 = '7', $2 = NULL`.
fn bound(statement: &str, parameters: &str) -> String {
    let values: Vec<&str> = split_outside_quotes(parameters)
        .filter_map(|pair| pair.split_once(" = "))
        .map(|(_, value)| value)
        .collect();
    let mut parts = statement.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(end);
        let value = number
            .parse::<usize>()
            .ok()
            .and_then(|number| values.get(number.checked_sub(1)?));
        text.push_str(value.unwrap_or(&"$"));
        text.push_str(rest);
    }
    text
}

/// The pieces between commas, but for those inside of quoted values.
fn split_outside_quotes(parameters: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    parameters.split(move |c| {
        is_quoted ^= c == '\'';
        c == ',' && !is_quoted
    })
}

/// Says how a database runs the queries among some statements.
fn explain(plans: &mut String, connection: &mut Connection, statements: &[String]) -> Outcome<()> {
    for query in statements
        .iter()
        .filter(|statement| statement.starts_with("SELECT"))
    {
        let query = match connection {
            Connection::Postgres(_) => query.clone(),
            Connection::Sqlite(_) => as_for_sqlite(query),
        };
        writeln!(plans, "{query}\n")?;
        match connection.explain(&query) {
            Ok(lines) => lines.iter().try_for_each(|line| writeln!(plans, "    {line}"))?,
            Err(error) => writeln!(plans, "    is not understood: {error}")?,
        }
        plans.push('\n');
    }
    Ok(())
}

/// What Diesel writes otherwise for SQLite: lists of values, and locks, which there are none of.
fn as_for_sqlite(query: &str) -> String {
    query
        .replace("= ANY('{", "IN (")
        .replace("}')", ")")
        .replace(" FOR UPDATE", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_read_with_what_was_bound_to_it() {
        let at = "2026-11-25 08:00:00 UTC [7]";
        let log = format!(
            "{at} LOG:  statement: BEGIN\n\
             {at} LOG:  execute __diesel_stmt_3: SELECT a FROM t WHERE id = $1 AND key = $2 LIMIT $3\n\
             {at} DETAIL:  parameters: $1 = '5', $2 = 'it''s, $1\n\tand more', $3 = NULL\n\
             {at} LOG:  statement: COMMIT\n"
        );
        assert_eq!(
            statements(&log),
            [
                "BEGIN",
                "SELECT a FROM t WHERE id = '5' AND key = 'it''s, $1\nand more' LIMIT NULL",
                "COMMIT"
            ]
        );
    }

    #[test]
    fn sqlite_is_given_what_it_understands() {
        assert_eq!(
            as_for_sqlite("SELECT 1 WHERE a = ANY('{4,5}') FOR UPDATE"),
            "SELECT 1 WHERE a IN (4,5)"
        );
    }
}
