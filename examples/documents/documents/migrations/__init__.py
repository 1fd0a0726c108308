"""The documents' own chain of migrations; `portico migrate` runs it after Portico's."""
