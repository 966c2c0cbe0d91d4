"""How well reports are verified: a corpus of honest reports, spoiled answers, and the table of what is caught.

`make evals` prints the table; the same bars hold in the tests. The reports and data of the corpus are our own words
about made-up figures; whoever sees the verifier err on a real report adds one like it here.
"""
