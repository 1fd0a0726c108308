"""What the specifications say, as pure functions: one file an RFC, each demand with its section.

Nothing here reads a clock, a database or the network: `now` is an argument, in seconds since 1970, and what must
be remembered (a `jti` that was seen) is returned to the caller. A demand that is not met raises
`portico.oauth.protocol.refusals.Refused`.
"""
