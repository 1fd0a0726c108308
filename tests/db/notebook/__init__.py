"""A team's feature with tables of its own, for the tests of the database floor."""
