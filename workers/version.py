"""The version of this programme, as heartbeats and logs tell it."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("emocare-hq-workers")
except PackageNotFoundError:  # run from a folder that was never installed
    VERSION = "0.0.0"
