"""The scheduled jobs, as the screens see and start them, and the autopilot that adds to them.

Only SQL fires the plan, in Paris time; here it is only shown. The screens list the jobs as operators have set them,
start one by hand, or ask for a decision; an external scheduler (``cron_trigger``) makes SQL look at once.
"""
