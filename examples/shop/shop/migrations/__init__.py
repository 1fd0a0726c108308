"""The shop's own chain of migrations; `portico migrate` runs it after Portico's."""
