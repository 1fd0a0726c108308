"""Sign-in, devices, sessions, access and refresh tokens."""
