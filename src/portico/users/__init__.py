"""The person: profile, e-mail addresses, lifecycle."""
