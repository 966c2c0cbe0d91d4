"""The managed platforms, as a worker reads them."""

from support.calls import call
from support.database import Connection, Database


def test_every_platform_is_read_by_name_as_the_owner_sees_it(service: Connection, owner: Connection) -> None:
    read = call(service, "read_hq_platforms")

    seen = call(owner, "get_all_hq_platforms")
    assert len(read) == 7
    assert read == [{name: platform[name] for name in read[0]} for platform in seen]


def test_the_host_may_change_the_types_of_its_columns(database: Database, service: Connection) -> None:
    before = call(service, "read_hq_platforms")
    database.run("alter table hq.platforms alter column name type varchar(80)")
    database.run("alter table hq.platforms alter column uptime_percent type double precision")

    assert call(service, "read_hq_platforms") == before


def test_one_platform_is_read_by_its_key(database: Database, service: Connection) -> None:
    database.run("update hq.platforms set status = 'red', status_reason = 'Panne' where key = 'nearvity'")

    (platform,) = call(service, "read_hq_platforms", platform_key="nearvity")

    assert (platform["name"], platform["status"], platform["status_reason"]) == ("NEARVITY", "red", "Panne")
    assert call(service, "read_hq_platforms", platform_key="atlantis") == []
