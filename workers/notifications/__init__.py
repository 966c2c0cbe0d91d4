"""Messages that reach people who have no page open.

What there is to say is in ``hq.announcements``; SQL decides which message goes to which target, and when
(``claim_hq_deliveries``). Here the messages are written (``sentences``, ``messages``), sent by channels (``channels``,
with Apprise) and to devices (``webpush``), each target by itself (``delivery``), and the page's calls are answered
(``endpoint``).
"""
