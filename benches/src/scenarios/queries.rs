//! The statements of each request, as PostgreSQL logs them, and how both databases run them.
//!
//! What is explained is what the server sent, so that it can't differ from it. SQLite is given the same queries:
//! Diesel writes them alike, but for lists of values.

use std::fmt::Write as _;

use crate::{
    Bench, Outcome,
    client::{Client, upload},
    database::{Connection, Kind},
    load::Request,
    rows::{ROWS, Row, plates},
    site::Site,
};

/// What the log says before a statement, and before what was bound to it.
const STATEMENTS: [&str; 2] = ["LOG:  execute ", "LOG:  statement: "];
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
        "login" => client.ask_for_token(&crate::database::username(crate::database::OWNER_OF_20))?,
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

/// The statements in a piece of the log, each in one line, with what was bound to it in place.
fn statements(log: &str) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    for line in log.lines() {
        if let Some((_, statement)) = STATEMENTS.iter().find_map(|&what| line.split_once(what)) {
            let is_prepared = line.contains(STATEMENTS[0]);
            let sql = if is_prepared {
                statement.split_once(": ").map_or(statement, |(_, sql)| sql)
            } else {
                statement
            };
            statements.push(sql.to_owned());
        } else if let Some((_, parameters)) = line.split_once(PARAMETERS) {
            if let Some(last) = statements.last_mut() {
                *last = bound(last, parameters);
            }
        } else if let (Some(rest), Some(last)) = (line.strip_prefix('\t'), statements.last_mut()) {
            last.push(' ');
            last.push_str(rest.trim());
        }
    }
    statements
}

/// A statement with its parameters, as the log writes them: `$1 = '7', $2 = NULL`.
fn bound(statement: &str, parameters: &str) -> String {
    let mut statement = statement.to_owned();
    let mut values = parameters.split(", $").map(|pair| pair.trim_start_matches('$'));
    // From the last one, so that $1 is not taken for the beginning of $12.
    let pairs: Vec<_> = values
        .by_ref()
        .filter_map(|pair| pair.split_once(" = "))
        .collect();
    for (number, value) in pairs.iter().rev() {
        statement = statement.replace(&format!("${number}"), value);
    }
    statement
}

/// Says how a database runs the queries among some statements.
fn explain(plans: &mut String, connection: &mut Connection, statements: &[String]) -> Outcome<()> {
    for query in statements
        .iter()
        .filter(|statement| statement.starts_with("SELECT"))
    {
        writeln!(plans, "{query}\n")?;
        match connection.explain(query) {
            Ok(lines) => lines.iter().try_for_each(|line| writeln!(plans, "    {line}"))?,
            Err(error) => writeln!(plans, "    is not understood: {error}")?,
        }
        plans.push('\n');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_read_with_what_was_bound_to_it() {
        let log = "2026-11-25 08:00:00 UTC [7] LOG:  statement: BEGIN\n\
            2026-11-25 08:00:00 UTC [7] LOG:  execute __diesel_stmt_3: SELECT \"a\" FROM t WHERE id = $1 LIMIT $12\n\
            2026-11-25 08:00:00 UTC [7] DETAIL:  parameters: $1 = '5', $12 = NULL\n";
        assert_eq!(
            statements(log),
            ["BEGIN", "SELECT \"a\" FROM t WHERE id = '5' LIMIT NULL"]
        );
    }
}
