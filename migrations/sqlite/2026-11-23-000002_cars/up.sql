-- search_key has the searchable text, in lower case, folded by the application.
CREATE TABLE cars (
    id INTEGER NOT NULL CONSTRAINT cars_pkey PRIMARY KEY AUTOINCREMENT,
    owner_id INTEGER NOT NULL CONSTRAINT cars_owner_fkey REFERENCES users (id) ON DELETE CASCADE,
    brand TEXT NOT NULL,
    model TEXT NOT NULL,
    year INTEGER NOT NULL,
    color TEXT,
    license TEXT NOT NULL,
    license_key TEXT NOT NULL CONSTRAINT cars_license_unique UNIQUE,
    vin TEXT,
    mileage INTEGER NOT NULL CONSTRAINT cars_mileage_not_negative CHECK (mileage >= 0),
    image TEXT,
    notes TEXT,
    search_key TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

-- The order of the list of a user's cars.
CREATE INDEX cars_of_owner ON cars (owner_id, created_at DESC, id DESC);

-- The sweep of orphans looks up the car of each picture.
CREATE INDEX cars_image ON cars (image);
