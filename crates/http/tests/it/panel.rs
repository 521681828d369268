//! The admin panel, through the forms of its pages and through forged forms.

mod access;
mod bulk;
mod deletion;
mod forms;
mod imports;
mod logins;

use mycars_testkit::http::{
    Client,
    accounts::{add_car, add_picture, new_client},
    browser::Browser,
};

/// The new password, in tests that set one.
const OTHER_PASSWORD: &str = "Meadow-x-55";

/// Creates a user with this number of cars, some of them with pictures, and a session.
fn user_with_cars<'s>(
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
