"""The worker itself: it claims, executes and settles runs, and lets callers wait for their end."""
