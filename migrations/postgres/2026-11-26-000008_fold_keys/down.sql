-- The keys stay: they are also unique by the old rule, and each row gets its old key at its next update.
SELECT 1;
