"""The HTTP floor: middleware, authentication chain, permissions at the route, problem details, pagination.

Knows no feature; what it needs from above stands here as a protocol (`Authenticator`, `Authorizer`).
"""
