-- All statements of POST /api/cars/, as PostgreSQL logs them with log_statement = 'all': the user, and a transaction that
-- adds the car and an entry to the audit log.
\set number :number + 1
\set plate :plates * 1000000000 + :client_id * 10000000 + :number
SELECT id, username, email, first_name, last_name, role, phone, address, is_active, is_superuser, password,
    logins_ended_at, access_ended_at, date_joined, last_login, created_at, updated_at
FROM users WHERE id = :buyer LIMIT 1;
BEGIN;
WITH car AS (
INSERT INTO cars (owner_id, brand, model, year, color, license, license_key, vin, mileage, image, notes, search_key,
    created_at, updated_at)
VALUES (:buyer, 'Toyota', 'Corolla', 2019, 'Silver', :plate,
    CASE WHEN EXISTS (SELECT * FROM cars WHERE license_key = :plate) THEN :plate ELSE :plate END, 'WVWZZZ1JZXW000001', 15000, NULL,
    'Winter tyres are in the cellar.', 'toyota corolla wvwzzz1jzxw000001 winter tyres are in the cellar.',
    now(), now())
RETURNING id, owner_id, brand, model, year, color, license, vin, mileage, image, notes, created_at, updated_at), entry AS (
INSERT INTO audit_log (at, action, object_type, object_id, object_name, owner_id, actor_id, actor_name, channel,
    request_id, address, changes, search_key)
VALUES (now(), 'created', 'car', (SELECT id::text FROM car), 'Toyota Corolla (1234567890123456789)', :buyer, :buyer, 'user00004', 'api',
    'c4afd674-28', '127.0.0.1',
    '[["brand",null,"Toyota"],["model",null,"Corolla"],["year",null,2019],["color",null,"Silver"],["license",null,"1234567890123456789"],["vin",null,"WVWZZZ1JZXW000001"],["mileage",null,15000],["owner",null,4],["notes",null,"Winter tyres are in the cellar."]]',
    'toyota corolla (1234567890123456789) user00004'))
SELECT * FROM car;
COMMIT;
