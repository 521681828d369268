-- The order in which everybody's cars are listed, and how many there are of each brand.
CREATE INDEX cars_newest ON cars (created_at DESC, id DESC);
CREATE INDEX cars_of_brand ON cars (brand);
