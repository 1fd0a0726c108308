"""What processes share: rate counters, revocations, caches that are told when they are wrong.

Memory or Redis for counters; the database for revocations. Redis never holds the truth.
"""
