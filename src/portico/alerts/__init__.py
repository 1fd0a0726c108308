"""Rules over the trail: what looks like an attack is told to people and machines."""
