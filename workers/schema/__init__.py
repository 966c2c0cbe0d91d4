"""Our part of the database: the SQL files, how they are applied, and the registry as rows."""

from workers.schema.files import SqlFile, read_files, read_indexes, read_views
from workers.schema.migrations import Report, apply, render

__all__ = ["Report", "SqlFile", "apply", "read_files", "read_indexes", "read_views", "render"]
