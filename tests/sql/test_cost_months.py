"""The sums of months that are over are kept, and are always what adding up every bill would say."""

import pytest
from support.calls import race
from support.database import Database, Row

BILLS = """
insert into hq.run_costs (run_id, lease_token, run_type, platform_key, model, calls, cost_eur, estimated, created_at)
select r.id, n, 'SEO_AUDIT', r.platform_key, 'model-' || n % 2, 1, n, n % 3 = 0, r.created_at
from hq.runs as r cross join generate_series(1, 3) as n
"""
RUNS = """
insert into hq.runs (run_type, platform_key, status, created_at)
select 'SEO_AUDIT', case when n % 2 = 0 then 'nearvity' end, 'completed', now() - make_interval(days => n * 17)
from generate_series(0, 12) as n
"""
# The view's own definition until months were kept.
EVERY_BILL = """
select
  to_char(c.created_at at time zone 'Europe/Paris', 'YYYY-MM') as mois,
  coalesce(c.platform_key, '(toutes)') as plateforme,
  count(distinct c.run_id) as executions,
  count(distinct (c.run_id, c.lease_token)) as tentatives,
  round(sum(c.cost_eur), 4) as cout_eur,
  round(coalesce(sum(c.cost_eur) filter (where c.estimated), 0), 4) as dont_estime_eur,
  round(sum(c.cost_eur) / greatest(count(distinct c.run_id), 1), 4) as moyenne_eur
from hq.run_costs as c
group by 1, 2
order by 1 desc, 5 desc, 2
"""
LATEST_OVER = "date_trunc('month', (now() - interval '2 days') at time zone 'Europe/Paris')"
OVER = f"select count(*) as n from hq.list_cost_months() where month < {LATEST_OVER}"


@pytest.fixture
def billed(database: Database) -> Database:
    database.run(RUNS)
    database.run(BILLS)
    return database


def _view(database: Database) -> list[Row]:
    return database.rows("select * from hq.costs_by_platform")


def _kept(database: Database) -> int:
    return int(database.one("select count(distinct month) as n from hq.cost_months")["n"])


def test_what_is_kept_says_what_every_bill_says(billed: Database) -> None:
    expected = billed.rows(EVERY_BILL)
    assert _view(billed) == expected
    assert len({line["mois"] for line in expected}) > 6

    billed.run("select hq.keep_cost_months()")

    assert _kept(billed) == billed.one(OVER)["n"]
    assert _view(billed) == expected
    billed.run("select hq.keep_cost_months()")
    assert _view(billed) == expected


def test_the_month_that_is_not_over_is_not_kept(billed: Database) -> None:
    billed.run("select hq.keep_cost_months()")

    latest = billed.one("select max(month) as month from hq.cost_months")["month"]
    assert latest < billed.one(f"select {LATEST_OVER}::date as month")["month"]


@pytest.mark.parametrize(
    "change",
    [
        "update hq.run_costs set cost_eur = cost_eur + 1 where created_at < now() - interval '100 days'",
        "update hq.run_costs set created_at = created_at - interval '40 days' where created_at < now() - interval '9d'",
        "update hq.run_costs set created_at = created_at - interval '120d' where created_at > now() - interval '1h'",
        "update hq.run_costs set created_at = now() where created_at < now() - interval '100 days'",
        "delete from hq.run_costs where created_at < now() - interval '100 days'",
        "delete from hq.runs where created_at < now() - interval '100 days'",  # their bills stay
        (
            "insert into hq.run_costs (lease_token, run_type, model, calls, cost_eur, estimated, created_at) values"
            " (99, 'SEO_AUDIT', 'm', 1, 5, false, now() - interval '120 days')"
        ),
        "truncate hq.runs cascade",
    ],
)
def test_a_late_change_is_seen_at_once(change: str, billed: Database) -> None:
    billed.run("select hq.keep_cost_months()")
    before = _view(billed)

    billed.run(change)

    assert _view(billed) == billed.rows(EVERY_BILL) != before
    billed.run("select hq.keep_cost_months()")
    assert _view(billed) == billed.rows(EVERY_BILL)


def test_a_bill_of_today_is_noted_nowhere(billed: Database) -> None:
    noted = billed.rows("select * from hq.cost_month_changes")

    billed.run(
        "insert into hq.run_costs (lease_token, run_type, model, calls, cost_eur, estimated)"
        " values (99, 'SEO_AUDIT', 'm', 1, 5, false)"
    )

    assert billed.rows("select * from hq.cost_month_changes") == noted
    assert _view(billed) == billed.rows(EVERY_BILL)


LATE = "update hq.run_costs set cost_eur = cost_eur + 7 where created_at < now() - interval '100 days'"


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_a_change_that_began_before_the_sums_were_kept_is_in_none(isolation: str, billed: Database) -> None:
    with billed.connect() as late:
        late.execute(f"begin isolation level {isolation}; select count(*) from hq.runs".encode())
        billed.run("select hq.keep_cost_months()")
        late.execute(LATE.encode())
        late.execute("commit")

    assert _view(billed) == billed.rows(EVERY_BILL)


def test_a_change_that_is_not_committed_yet_is_seen_as_soon_as_it_is(billed: Database) -> None:
    with billed.connect() as late:
        late.execute(f"begin; {LATE}".encode())
        assert billed.one("select hq.keep_cost_months() as n")["n"] > 0
        assert _view(billed) == billed.rows(EVERY_BILL)
        late.execute("commit")

    assert _view(billed) == billed.rows(EVERY_BILL)
    billed.run("select hq.keep_cost_months()")
    assert _view(billed) == billed.rows(EVERY_BILL)


def test_a_change_waits_for_nobody_who_keeps_sums_or_changes_another_bill(billed: Database) -> None:
    with billed.connect() as keeper, billed.connect() as late:
        keeper.execute("begin; select hq.keep_cost_months()")
        keeper.execute("update hq.run_costs set calls = 2 where id = (select min(id) from hq.run_costs)")
        late.execute("set lock_timeout = '1s'")
        late.execute("update hq.run_costs set cost_eur = 9 where id = (select max(id) from hq.run_costs)")
        late.execute(f"{LATE} and id <> (select min(id) from hq.run_costs)".encode())
        keeper.execute("commit")

    assert _view(billed) == billed.rows(EVERY_BILL)


def test_years_without_a_bill_keep_no_month_from_being_kept(billed: Database) -> None:
    """An odd date, and a bill that is dated ahead, cost nothing but themselves."""
    billed.run(
        "insert into hq.run_costs (lease_token, run_type, model, calls, cost_eur, estimated, created_at)"
        " select 1, 'SEO_AUDIT', 'm', 1, 5, false, u from unnest(array["
        " '0003-02-01', now() - interval '9 years', now() + interval '40 days']::timestamptz[]) as u"
    )
    billed.run("select hq.keep_cost_months()")

    assert _kept(billed) == billed.one(OVER)["n"] > 6
    assert _view(billed) == billed.rows(EVERY_BILL)


def test_moments_out_of_all_years_are_left_out(billed: Database) -> None:
    expected = billed.rows(EVERY_BILL)
    billed.run(
        "insert into hq.run_costs (lease_token, run_type, model, calls, cost_eur, estimated, created_at)"
        " values (1, 'SEO_AUDIT', 'm', 1, 5, false, 'infinity'), (2, 'SEO_AUDIT', 'm', 1, 5, false, '-infinity')"
    )

    assert _view(billed) == expected


def test_of_several_at_once_each_month_is_kept_once(billed: Database) -> None:
    race(billed.connect, [lambda session: session.execute("select hq.keep_cost_months()")] * 4)

    assert _kept(billed) == billed.one(OVER)["n"]
    assert _view(billed) == billed.rows(EVERY_BILL)


def test_a_purge_keeps_what_is_over(billed: Database) -> None:
    with billed.connect("supabase_admin") as session:
        session.execute("call hq.purge_expired()")

    assert _kept(billed) > 0
