"""What ``docs/benchmarks.md`` is measured with: `python -m bench [NAME …]`, or `make bench`."""
