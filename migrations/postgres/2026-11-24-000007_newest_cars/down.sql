DROP INDEX cars_newest;
