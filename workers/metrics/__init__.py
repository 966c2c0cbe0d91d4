"""What Prometheus scrapes: counts of what happened (counters.py), what is at the moment (state.py), where (page.py).

Every label is a member of a closed set, fixed when the worker starts; whatever else comes along counts as ``other``.
"""
