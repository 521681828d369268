-- The order in which everybody's cars are listed.
CREATE INDEX cars_newest ON cars (created_at DESC, id DESC);
