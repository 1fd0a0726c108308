"""Jobs over Celery: a broker carries the ids of due jobs to workers, which claim the rows.

The table of jobs stays the truth: what a broker loses, repeats or shuffles changes nothing but the time.
"""
