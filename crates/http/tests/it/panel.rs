//! The admin panel, as browsers use it: by the forms of its pages, and by forms that somebody made up.

mod access;
mod bulk;
mod deletion;
mod forms;
mod logins;

use mycars_testkit::http::{
    Client,
    accounts::{add_car, add_picture, new_client},
    browser::Browser,
};

/// What the other password is in tests that need one.
const OTHER_PASSWORD: &str = "Meadow-x-55";

/// Somebody with so many cars, some of them with pictures, who is logged in in some browsers.
fn somebody<'s>(
    server: &'s Client,
    name: &str,
    cars: usize,
    pictures: usize,
) -> (i64, Vec<String>, Browser<'s>) {
    let (tokens, id) = new_client(server, name);
    let mut paths = Vec::new();
    for number in 0..cars {
        let car = add_car(server, &tokens.access, &format!("{name} {number}"));
        if number < pictures {
            paths.push(add_picture(server, &tokens.access, car));
        }
    }
    (id, paths, Browser::of(server, name))
}
