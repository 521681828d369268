-- The statements of GET /api/cars/{id}/: the user and the car.
SELECT id, username, email, first_name, last_name, role, phone, address, is_active, is_superuser, password,
    logins_ended_at, access_ended_at, date_joined, last_login, created_at, updated_at
FROM users WHERE id = :user LIMIT 1;
SELECT id, owner_id, brand, model, year, color, license, vin, mileage, image, notes, created_at, updated_at
FROM cars WHERE id = :car LIMIT 1;
