"""One executive run, from claim to report.

A worker holds a claim on a row of ``hq.runs``. It collects what the run type's sources know, each in its own time and
all at once; whatever cannot be read becomes a named gap. It composes one question for the model: who writes, what the
report must contain, and the data, bounded and fenced, because much of it is untrusted. It asks the model
within one budget of calls and waiting. It returns how the attempt ends: a report, or a sentence that says what
happened and what to do. Only checkpoints of steps that took time or money are written here; the report, its evidence,
its cost and its log are written together, by the settlement, under the claim's lease token.
"""
