"""The HTTP API: its calls, its routes, its description, and how it starts and stops together with the worker."""
