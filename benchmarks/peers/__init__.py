"""Other people's servers, measured beside ours in the same run: `make bench-peers`."""
