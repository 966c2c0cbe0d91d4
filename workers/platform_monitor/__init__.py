"""The edge function ``platform-monitor``, and the regular checks of the sites from which uptime is computed.

``probe`` asks the sites, ``watch`` stores what they answered, ``endpoint`` returns it to the screens.
"""
