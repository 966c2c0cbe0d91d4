"""The scheduled jobs, as the screens see and start them, and the autopilot that adds to them.

SQL alone fires the plan, by the clock of Paris; here it is only shown. The screens list the jobs as operators have set
them, start one by hand, or ask for a decision; a scheduler without a person (``cron_trigger``) makes SQL look at once.
"""
