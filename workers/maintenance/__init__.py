"""The former cron functions, in their old shapes: the budget, the dead letters, what devices should be notified of."""
