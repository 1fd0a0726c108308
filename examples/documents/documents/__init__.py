"""A product built on Portico: organizations keep documents, and none sees another's."""
