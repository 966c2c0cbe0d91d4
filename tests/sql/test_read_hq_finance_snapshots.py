"""Reading the earnings; the tests of record_hq_finance_snapshots cover what is kept, and how."""

from support.calls import call
from support.database import Connection


def test_before_anything_was_read_there_is_nothing(service: Connection) -> None:
    assert call(service, "read_hq_finance_snapshots", since="2000-01-01") == []
