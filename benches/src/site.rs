//! A database with its servers, and the credentials of the users that send requests.

use crate::{
    Outcome,
    bench::Bench,
    database::{ADMIN, BUYER, Database, Kind, OWNER_OF_20, OWNER_OF_1000, username},
    request::Request,
    server::Server,
};

pub(crate) struct Site {
    pub(crate) database: Database,
    pub(crate) mycars: Server,
    pub(crate) reference: Server,
    /// Access tokens.
    pub(crate) owner_of_20: String,
    pub(crate) owner_of_1000: String,
    pub(crate) buyer: String,
    pub(crate) admin: String,
    /// The `Cookie` header of the administrator's browser.
    pub(crate) session: String,
    /// Uploads of a picture to 19 cars in turn.
    pub(crate) upload: Request,
    /// The path of a picture.
    pub(crate) picture: String,
}

impl Site {
    /// Starts the servers on the database with this number of cars.
    pub(crate) fn open(bench: &mut Bench, kind: Kind, cars: u64) -> Outcome<Self> {
        let database = bench.database(kind, cars)?;
        let reference = bench.serve(&bench.arguments.reference, &database)?;
        let mycars = bench.serve(&bench.arguments.mycars, &database)?;
        let client = &mycars.client;
        let owner_of_20 = client.token(&username(OWNER_OF_20))?;
        let cars = database.cars_of_20();
        let mut upload = Request::upload(&cars, &bench.photograph).bearer(&owner_of_20);
        let car = client.json(&upload, 0)?;
        // Later uploads must not replace this picture.
        upload.paths.remove(0);
        Ok(Self {
            upload,
            picture: car["image"].as_str().ok_or("a car has no picture")?.to_owned(),
            owner_of_1000: client.token(&username(OWNER_OF_1000))?,
            buyer: client.token(&username(BUYER))?,
            admin: client.token(ADMIN)?,
            session: client.session(ADMIN)?,
            owner_of_20,
            database,
            mycars,
            reference,
        })
    }
}
