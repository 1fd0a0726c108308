"""SQL of the messaging floor: the outbox, the jobs, the schedules."""
