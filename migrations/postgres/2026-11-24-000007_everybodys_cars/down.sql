DROP INDEX cars_of_brand;
DROP INDEX cars_newest;
