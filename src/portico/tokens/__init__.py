"""The token engines that others share: one-time tokens and rotating families."""
