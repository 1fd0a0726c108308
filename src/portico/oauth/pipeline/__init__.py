"""The checks of protocol requests, as one table: a row a check, a column an endpoint."""
