"""The lowest floor: settings, errors, clock, ids, entropy, cryptography, failpoints, logging.

Nothing here knows HTTP, SQL or any feature.
"""
