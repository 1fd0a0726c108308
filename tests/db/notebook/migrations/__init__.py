"""The notebook's own chain of migrations."""
