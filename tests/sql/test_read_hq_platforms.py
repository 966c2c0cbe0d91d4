"""The managed platforms, as workers that were deployed earlier read them."""

from support.calls import call
from support.database import Connection, Database


def test_it_reads_what_its_successor_reads(database: Database, service: Connection) -> None:
    database.run(
        "insert into hq.platform_checks (platform_key, status, checked_at) "
        "values ('nearvity', 'green', now() - interval '2 days')"
    )
    database.run("select hq.update_platform_state('nearvity')")

    read = call(service, "read_hq_platforms")

    newer = call(service, "read_hq_platforms_v2")
    assert len(read) == 7
    assert read == [{name: platform[name] for name in read[0]} for platform in newer]
    assert {platform["key"]: platform["uptime_percent"] for platform in read}["nearvity"] == 100
    assert call(service, "read_hq_platforms", platform_key="atlantis") == []
