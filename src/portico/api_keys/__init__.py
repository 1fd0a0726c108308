"""Keys for machines: a person's own, an organization's, those of service accounts; and honeytokens."""
