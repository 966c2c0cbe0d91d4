"""The plan and the autopilot: which runs to ask for, and when. Nothing here yet."""
