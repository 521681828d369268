//! Replays the recorded cases of `tests/contract/`, which its README explains, against the server on both
//! databases. Each response must also match the OpenAPI document.

mod case;
mod check;
mod json;
mod matching;
mod picture;
mod request;
mod scene;
mod tokens;
mod world;

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use case::{Area, Case, Step};
use mycars_testkit::TestDatabase;
use scene::Scene;
use world::World;

use crate::support::{Installation, at_once, on_both_databases};

on_both_databases!(responses_match_recorded_cases);

#[test]
fn responses_behind_pgbouncer_match_recorded_cases() {
    let database = TestDatabase::postgres_behind_pgbouncer();
    let installation = Installation::on(database).with("MYCARS__DATABASE__POOLER", "transaction");
    responses_match_recorded_cases(&installation);
}

/// The cases that may fail because their endpoint is not implemented yet: area, name of the case, reason. A
/// listed case that passes fails the test, too: it must be removed from the list.
const NOT_SERVED_YET: &[(&str, &str, &str)] = &[];

/// Number of cases that run at a time.
const THREADS: usize = 4;

/// The failures of a case.
type Outcome<T> = Result<T, String>;

/// A case that was run, with its failures; none if it passed.
struct Ran<'w> {
    area: &'w str,
    case: &'w str,
    faults: Vec<String>,
}

fn responses_match_recorded_cases(installation: &Installation) {
    installation.create_superuser(world::ADMIN);
    let server = installation.start();
    let world = World::of(&server);
    let areas = case::areas();
    let ran = run_all(&world, &areas);
    assert!(ran.len() >= 55, "only {} cases were found", ran.len());
    let complaints = complaints(&ran);
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn run_all<'w>(world: &World<'w>, areas: &'w [Area]) -> Vec<Ran<'w>> {
    let cases: Vec<_> = areas
        .iter()
        .flat_map(|area| area.cases.iter().map(move |case| (area, case)))
        .collect();
    let waiting = Mutex::new(cases.iter());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let ran = at_once(THREADS, |_| {
        std::iter::from_fn(next)
            .map(|(area, case)| Ran {
                area: &area.area,
                case: &case.name,
                faults: run(world, case),
            })
            .collect::<Vec<_>>()
    });
    ran.into_iter().flatten().collect()
}

/// Runs a case, and returns its failures with their steps.
fn run(world: &World<'_>, case: &Case) -> Vec<String> {
    let mut scene = match Scene::of(world, case) {
        Ok(scene) => scene,
        Err(error) => return vec![format!("its people: {error}")],
    };
    let mut faults = Vec::new();
    for (number, step) in (1..).zip(&case.steps) {
        let found = play(&mut scene, step).unwrap_or_else(|error| vec![error]);
        if !found.is_empty() {
            faults.push(format!("step {number}, {}: {}", step.call, found.join(" | ")));
        }
    }
    faults
}

/// Runs one step, and returns the failures.
fn play(scene: &mut Scene<'_>, step: &Step) -> Outcome<Vec<String>> {
    let request = request::of(scene, step)?;
    if let Some(times) = step.race {
        return race(scene, step, &request, times);
    }
    let answer = scene.world.client.try_send(&request)?;
    let mut faults = check::faults(scene, &step.expect, &request, &answer)?;
    faults.extend(scene.world.document.faults(&request, &answer));
    if faults.is_empty() {
        faults.extend(scene.keep(&step.keep, &answer).err());
    }
    Ok(faults)
}

/// Sends the same request many times concurrently, and counts the responses.
fn race(
    scene: &Scene<'_>,
    step: &Step,
    request: &crate::support::Request,
    times: usize,
) -> Outcome<Vec<String>> {
    let client = scene.world.client;
    let answers: Outcome<Vec<_>> = at_once(times, |_| client.try_send(request)).into_iter().collect();
    Ok(check::race_faults(&step.expect, &answers?))
}

/// Compares the results with the list of cases that may fail.
fn complaints(ran: &[Ran<'_>]) -> Vec<String> {
    let listed: BTreeSet<_> = NOT_SERVED_YET
        .iter()
        .map(|(area, case, _)| (*area, *case))
        .collect();
    let names: BTreeSet<_> = ran.iter().map(|ran| (ran.area, ran.case)).collect();
    let unknown = listed.difference(&names).map(|(area, case)| {
        format!("{area}: {case}: is listed as not served yet, but there is no such case")
    });
    let judged = ran.iter().flat_map(|ran| {
        let Ran { area, case, faults } = ran;
        match (listed.contains(&(*area, *case)), faults.is_empty()) {
            (true, true) => vec![format!("{area}: {case}: passes, but is listed as not served yet")],
            (true, false) => Vec::new(),
            (false, _) => faults
                .iter()
                .map(|fault| format!("{area}: {case}: {fault}"))
                .collect(),
        }
    });
    unknown.chain(judged).collect()
}
