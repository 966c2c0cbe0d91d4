"""Our part of the database: the SQL files, how they are applied, and the registry as rows."""

from workers.schema.files import SqlFile, read_files, read_indexes, read_views
from workers.schema.migrations import Report, apply, render
from workers.schema.sessions import RIGHT_URLS, is_transaction_pooler

__all__ = [
    "RIGHT_URLS",
    "Report",
    "SqlFile",
    "apply",
    "is_transaction_pooler",
    "read_files",
    "read_indexes",
    "read_views",
    "render",
]
