"""Our part of the database: the SQL files, how they are applied, and the registry as rows."""

from workers.schema.migrations import (
    SQL_FOLDER,
    Report,
    SqlFile,
    apply,
    read_files,
    read_indexes,
    read_views,
    render,
)

__all__ = ["SQL_FOLDER", "Report", "SqlFile", "apply", "read_files", "read_indexes", "read_views", "render"]
