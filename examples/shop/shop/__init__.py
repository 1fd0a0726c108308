"""A product built on Portico: people place orders."""
