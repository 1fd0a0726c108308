"""How a token is verified: by the keys of the authorization server, by asking it, or by Portico in the same process.

claims       what every access token must say, wherever it was verified
refreshing   a value of another server that is loaded once for all who wait
discovery    the authorization server's own description of itself, and its keys
remote       JWTs of a remote server, by its keys (RFC 9068)
asking       any token, by asking the remote server (RFC 7662)
local        tokens of the Portico around us; a grant that ended is refused at once
senders      whether the token is shown by whom it was bound to (RFC 9449, RFC 8705)
"""
