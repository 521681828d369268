-- The keys stay: they are unique by the old rule as well, and each row gets its old key when it is written again.
SELECT 1;
