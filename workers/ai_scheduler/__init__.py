"""The scheduled jobs, as the screens see and start them.

The calendar of the registry decides, by the clock of Paris. The screens list the jobs, start one by hand, or ask for
a decision; a scheduler without a person (``cron_trigger``) has every due job asked for, once per hour of its calendar.
"""
