"""The edge function ``platform-monitor``, and the watch over the platforms' sites that makes their uptime true.

``probe`` asks the sites, ``watch`` keeps what they answered, ``endpoint`` returns it to the screens.
"""
