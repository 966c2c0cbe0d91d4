"""The HTTP API: what a call is, which address answers it, how it is described, and its life beside the worker's."""
