"""The program: workers that turn pending rows of ``hq.runs`` into finished reports."""
