//! A database with its servers running, and everybody who asks them logged in.

use crate::{
    Outcome,
    client::{Client, upload},
    database::{ADMIN, BUYER, Database, OWNER_OF_20, OWNER_OF_1000, username},
    process::{Programs, Server},
};

/// The servers on one database, and what requests need.
pub(crate) struct Site {
    pub(crate) database: Database,
    pub(crate) mycars: Server,
    pub(crate) reference: Server,
    /// Tokens of the people by whom the benchmark asks.
    pub(crate) owner_of_20: String,
    pub(crate) owner_of_1000: String,
    pub(crate) buyer: String,
    pub(crate) admin: String,
    /// The admin's browser.
    pub(crate) session: String,
    /// The path of a picture.
    pub(crate) picture: String,
}

impl Site {
    pub(crate) fn open(programs: &Programs, database: &Database, picture: &[u8]) -> Outcome<Self> {
        let mycars = programs.serve(database)?;
        let client = Client::new(&mycars.url);
        let mut site = Self {
            database: database.clone(),
            reference: programs.serve_reference(database)?,
            owner_of_20: client.token(&username(OWNER_OF_20))?,
            owner_of_1000: client.token(&username(OWNER_OF_1000))?,
            buyer: client.token(&username(BUYER))?,
            admin: client.token(ADMIN)?,
            session: client.session(ADMIN)?,
            picture: String::new(),
            mycars,
        };
        // The first one: the others are uploaded to, and their pictures replaced.
        let path = format!("{}upload-image/", site.car());
        let car = client
            .upload(&path, &site.owner_of_20, &upload(picture))?
            .expect(200)?;
        car["image"]
            .as_str()
            .ok_or("a car has no picture")?
            .clone_into(&mut site.picture);
        Ok(site)
    }

    /// The path of a car of 20.
    pub(crate) fn car(&self) -> String {
        format!("/api/cars/{}/", self.car_id())
    }

    /// The same car at the reference.
    pub(crate) fn reference_car(&self) -> String {
        format!("/cars/{}/", self.car_id())
    }

    pub(crate) fn car_id(&self) -> u64 {
        self.database.cars_of_20().next().unwrap_or_default()
    }

    /// The paths of the 19 others.
    pub(crate) fn other_cars(&self) -> impl Iterator<Item = String> + use<> {
        self.database
            .cars_of_20()
            .skip(1)
            .map(|id| format!("/api/cars/{id}/"))
    }
}
