"""What the company earns: read from Stripe, computed exactly, kept day by day, and never invented.

``stripe`` reads; ``mrr`` and ``figures`` compute, without a clock or a network; ``revenue`` decides whether to read
again, to return what is still fresh, or to return the last good figures with their own date.
"""
