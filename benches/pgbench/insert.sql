-- The insertion of POST /api/cars/ alone: one car, and its commit.
\set number :number + 1
\set plate :plates * 1000000000 + :client_id * 10000000 + :number
INSERT INTO cars (owner_id, brand, model, year, color, license, license_key, vin, mileage, image, notes, search_key,
    created_at, updated_at)
VALUES (:buyer, 'Toyota', 'Corolla', 2019, 'Silver', :plate, :plate, 'WVWZZZ1JZXW000001', 15000, NULL,
    'Winter tyres are in the cellar.', 'toyota corolla wvwzzz1jzxw000001 winter tyres are in the cellar.',
    now(), now())
RETURNING id, owner_id, brand, model, year, color, license, vin, mileage, image, notes, created_at, updated_at;
