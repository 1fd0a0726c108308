"""Events for other systems: every committed event goes to a broker as a CloudEvent, at least once.

One module a kind of broker; nothing of them is imported in a process whose settings name no broker.
"""
