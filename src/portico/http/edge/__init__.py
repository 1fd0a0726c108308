"""What every request passes before and after its route: one pure ASGI class, composed of small functions.

    screen      request.py    size and grammar of headers, verb, path
                hosts.py      whether the host name is ours
                origins.py    preflights, whose pages may call us
    admit       limits.py     sign-in routes: rate limits by address, before anybody is authenticated
                exchange.py   the chain of authenticators
                limits.py     other routes: rate limits by principal, else by address
                forgery.py    origin and token of unsafe requests that carry ambient authority
    answer      headers.py    request id, security, CORS and limit headers on every answer, errors included
    log         exchange.py   one line

One class for all of it costs a third of a class for each (SPEED.md). Nothing here knows a feature.
"""

from portico.http.edge.edge import Edge

__all__ = ["Edge"]
