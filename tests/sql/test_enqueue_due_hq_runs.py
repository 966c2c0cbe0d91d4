"""Each slot of the plan is fired once, or logged with the reason why not; whoever looks, whatever dies."""

import random
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from support.calls import call, claim, configure, race, refused, request, request_of, run_of
from support.database import Connection, Database, Row, one
from support.plan import (
    HOUR,
    PARIS,
    PlannedHours,
    every_hour,
    journal_of,
    look,
    plan,
    slots_between,
    slots_of,
    wind,
)

MINUTE = timedelta(minutes=1)
# A Monday in summer, 7 h in Paris.
SEVEN = datetime(2026, 7, 6, 5, tzinfo=UTC)
JOB, TYPE = "daily_brief", "DAILY_EXECUTIVE_BRIEF"
SITE_JOBS = ("a", "b")


@pytest.fixture(autouse=True)
def before_seven(database: Database) -> None:
    """Let it be one minute to seven, and nothing planned but the brief, at seven on working days."""
    wind(database, SEVEN - MINUTE)
    database.run("update hq.scheduled_jobs set hours = '{7}', weekdays = '{1,2,3,4,5}' where key = %s", JOB)
    database.run("update hq.scheduled_jobs set enabled = false where key <> %s", JOB)


def _runs(database: Database) -> list[Row]:
    return database.rows("select * from hq.runs order by created_at")


def test_a_slot_becomes_one_run_that_nobody_asked_for_by_hand(database: Database) -> None:
    assert look(database.sql, SEVEN - timedelta(seconds=1)) == []

    (fired,) = look(database.sql, SEVEN + timedelta(seconds=7))

    assert (fired["job_key"], fired["slot_at"], fired["outcome"], fired["reason"]) == (JOB, SEVEN, "fired", "created")
    run = run_of(database, fired["run_id"])
    assert (run["run_type"], run["status"], run["owner_requested"]) == (TYPE, "pending", False)
    asked = request_of(database, fired["run_id"])
    assert (asked["trigger"], asked["requester"]) == ("schedule", "plan")
    assert asked["context"] == {"triggered_by": "schedule", "job_key": JOB, "scheduled_time": "2026-07-06 07:00"}
    assert [claimed["run_id"] for claimed in claim(database.sql)] == [fired["run_id"]]


def test_a_slot_that_was_fired_is_not_fired_again(database: Database) -> None:
    look(database.sql, SEVEN)
    database.run("update hq.runs set status = 'completed', completed_at = now() - interval '1 hour'")
    database.run("delete from hq.run_queue")

    later = [look(database.sql, SEVEN + n * MINUTE) for n in (0, 1, 59)]
    wind(database, SEVEN - HOUR)  # also when the look-back begins again
    later.append(look(database.sql, SEVEN + HOUR))

    assert later == [[], [], [], []]
    assert len(_runs(database)) == len(journal_of(database)) == 1


def test_the_journal_tells_what_was_fired(database: Database) -> None:
    (fired,) = look(database.sql, SEVEN + 3 * MINUTE)

    (line,) = journal_of(database)
    assert (line["level"], line["source"], line["message"]) == ("info", "scheduler", "plan.slot_fired")
    assert line["run_id"] == fired["run_id"]
    assert line["metadata"] == {
        "job_key": JOB,
        "run_type": TYPE,
        "slot": "2026-07-06 07:00",
        "late_minutes": 3,
        "reason": "created",
        "run_id": str(fired["run_id"]),
        "trigger": "schedule",
    }


@pytest.mark.parametrize(("late", "outcome"), [(119, "fired"), (120, "missed"), (600, "missed")])
def test_a_slot_is_caught_up_within_its_grace_and_told_as_missed_after(
    late: int, outcome: str, database: Database
) -> None:
    (decided,) = look(database.sql, SEVEN + late * MINUTE)

    assert decided["outcome"] == outcome
    (line,) = journal_of(database)
    assert line["message"] == f"plan.slot_{outcome}"
    assert len(_runs(database)) == (outcome == "fired")


def test_the_grace_is_the_jobs_own(database: Database) -> None:
    database.run("update hq.scheduled_jobs set grace_minutes = 5 where key = %s", JOB)

    (decided,) = look(database.sql, SEVEN + 6 * MINUTE)

    assert (decided["outcome"], decided["reason"]) == ("missed", "too_late")


def test_an_outage_of_days_is_told_in_one_line_per_job(database: Database) -> None:
    end = SEVEN + timedelta(days=10)
    every_hour(database, "a")

    decided = look(database.sql, end)

    assert [row["outcome"] for row in decided].count("missed") == 239
    assert [row["outcome"] for row in decided].count("fired") == 2
    (missed,) = journal_of(database, "plan.slot_missed")
    assert (missed["level"], missed["metadata"]["job_key"], missed["metadata"]["count"]) == ("warn", "a", 239)
    assert len(missed["metadata"]["slots"]) == 20
    assert missed["metadata"]["slots"][-1] == (end - 2 * HOUR).astimezone(PARIS).strftime("%Y-%m-%d %H:%M")
    assert len(_runs(database)) == 1


def test_an_outage_of_years_is_not_looked_back_at_for_more_than_a_month(database: Database) -> None:
    wind(database, SEVEN - timedelta(days=3650))
    every_hour(database, "a")

    assert len(look(database.sql, SEVEN)) == 31 * 24


def test_a_clock_that_goes_back_brings_no_slot_twice(database: Database) -> None:
    look(database.sql, SEVEN)

    assert look(database.sql, SEVEN - HOUR) == []
    assert look(database.sql, SEVEN + MINUTE) == []


@pytest.mark.parametrize("ahead", ["2027-07-06", "infinity"])
def test_a_clock_that_was_wrong_for_long_is_put_right_and_brings_what_comes(database: Database, ahead: str) -> None:
    look(database.sql, SEVEN - 24 * HOUR)
    database.run("delete from hq.plan_slots")
    look(database.sql, datetime(2027, 7, 6, tzinfo=UTC))
    decided_ahead = len(slots_of(database))
    wind(database, ahead)

    at_first = look(database.sql, SEVEN - MINUTE)
    fired = look(database.sql, SEVEN)
    next_day = look(database.sql, SEVEN + 24 * HOUR)

    assert decided_ahead > 20
    assert at_first == []
    assert [[slot["outcome"] for slot in slots] for slots in (fired, next_day)] == [["fired"], ["fired"]]
    assert len(journal_of(database, "plan.clock_corrected")) == 1


def test_a_clock_put_right_fires_no_slot_a_second_time_and_misses_none(database: Database) -> None:
    look(database.sql, SEVEN)
    wind(database, SEVEN + timedelta(days=365))

    later = [look(database.sql, SEVEN + n * MINUTE) for n in (1, 2)]

    assert later == [[], []]
    assert len(_runs(database)) == 1
    assert [slot["outcome"] for slot in look(database.sql, SEVEN + 24 * HOUR)] == ["fired"]


def test_what_an_operator_changes_counts_at_the_next_look(database: Database) -> None:
    database.run("update hq.scheduled_jobs set enabled = false where key = %s", JOB)
    assert look(database.sql, SEVEN) == []
    database.run("update hq.scheduled_jobs set enabled = true, hours = '{8}' where key = %s", JOB)
    assert look(database.sql, SEVEN + 59 * MINUTE) == []

    assert [slot["job_key"] for slot in look(database.sql, SEVEN + HOUR)] == [JOB]


def _pause(database: Database) -> None:
    database.one("select hq.pause_runs()")


def _panic(database: Database) -> None:
    configure(database, "autopilot", {"enabled": False, "low_risk_auto_execute": False})


def _exhaust(database: Database) -> None:
    configure(database, "ai_budget", {"monthly_target_eur": 0})


@pytest.mark.parametrize(("hold", "reason"), [(_pause, "paused"), (_panic, "panic"), (_exhaust, "budget_exhausted")])
def test_a_plan_that_is_held_skips_its_slots_and_tells_each_once(
    hold: Callable[[Database], None], reason: str, database: Database
) -> None:
    hold(database)

    (skipped,) = look(database.sql, SEVEN)
    again = look(database.sql, SEVEN + MINUTE)

    assert (skipped["outcome"], skipped["reason"], again) == ("skipped", reason, [])
    (line,) = journal_of(database, "plan.%")
    assert (line["level"], line["message"], line["metadata"]["reason"]) == ("warn", "plan.slot_skipped", reason)
    assert _runs(database) == []


def test_the_budget_that_counts_is_that_of_the_slots_month(database: Database) -> None:
    database.run(
        "insert into hq.run_costs (lease_token, run_type, model, calls, cost_eur, estimated, created_at) "
        "values (1, 'SEO_AUDIT', 'a-model', 1, 500, false, %s)",
        SEVEN - timedelta(days=10),
    )

    (fired,) = look(database.sql, SEVEN)

    assert fired["outcome"] == "fired"


def test_the_autopilots_switch_says_nothing_about_the_plan(database: Database) -> None:
    configure(database, "autopilot", {"enabled": False, "maxDailyAutonomousRuns": 0})

    assert [slot["outcome"] for slot in look(database.sql, SEVEN)] == ["fired"]


def test_a_slot_whose_run_is_under_way_joins_it(database: Database) -> None:
    by_hand = request(database.sql, TYPE)

    (fired,) = look(database.sql, SEVEN)

    assert (fired["outcome"], fired["run_id"]) == ("fired", by_hand["run_id"])
    assert fired["reason"].startswith("already_running")
    assert len(_runs(database)) == 1


def test_a_type_that_the_plan_may_not_start_is_refused_and_the_others_go_on(database: Database) -> None:
    plan(database, [PlannedHours(key, [7], [1]) for key in SITE_JOBS])
    database.run("update hq.scheduled_jobs set run_type = 'DEPLOY_TO_PRODUCTION' where key = 'a'")

    outcomes = {slot["job_key"]: slot["outcome"] for slot in look(database.sql, SEVEN)}

    assert outcomes == {"a": "refused", "b": "fired"}
    assert "HQ" not in journal_of(database, "plan.slot_refused")[0]["metadata"]["reason"]
    assert look(database.sql, SEVEN + MINUTE) == []


def test_what_fails_unexpectedly_is_told_once_and_tried_again(database: Database) -> None:
    plan(database, [PlannedHours(key, [7], [1]) for key in SITE_JOBS])
    database.run("update hq.scheduled_jobs set run_type = 'CODE_REVIEW' where key = 'a'")
    database.run("alter table hq.runs add constraint broken check (run_type <> 'CODE_REVIEW')")

    first = look(database.sql, SEVEN)
    second = look(database.sql, SEVEN + MINUTE)
    state = database.one("select * from hq.inspect_plan()")
    database.run("alter table hq.runs drop constraint broken")
    third = look(database.sql, SEVEN + 2 * MINUTE)

    assert [slot["job_key"] for slot in first] == ["b"]
    assert second == []
    assert [(slot["job_key"], slot["outcome"]) for slot in third] == [("a", "fired")]
    assert [line["message"] for line in journal_of(database)].count("plan.slot_failed") == 1
    assert "broken" in state["detail"] or state["state"] == "red"


def test_what_keeps_failing_is_missed_in_the_end(database: Database) -> None:
    database.run("alter table hq.runs add constraint broken check (false) not valid")

    reported = [look(database.sql, SEVEN + n * MINUTE) for n in (0, 60, 120)]

    assert [[slot["outcome"] for slot in slots] for slots in reported] == [[], [], ["missed"]]
    assert "broken" in reported[2][0]["reason"]


def test_a_row_held_in_the_sql_editor_holds_up_nobody_for_long(database: Database, other: Connection) -> None:
    """An editor that looks at the clock's row keeps the plan waiting, not its callers."""
    with other.transaction():
        other.execute("select * from hq.plan_clock for update")
        assert look(database.sql, SEVEN) == []

    assert [slot["outcome"] for slot in look(database.sql, SEVEN)] == ["fired"]


# The public function: what pg_cron, workers and the HTTP trigger call.


def test_the_service_fires_what_is_due_now(database: Database, service: Connection) -> None:
    every_hour(database, "a")
    # Longer than the two equal hours of October.
    wind(database, datetime.now(UTC) - timedelta(minutes=130))

    slots = call(service, "enqueue_due_hq_runs")

    assert {slot["outcome"] for slot in slots} == {"fired"}
    assert len(_runs(database)) == 1
    assert call(service, "enqueue_due_hq_runs") == []


def test_nobody_else_may_call_it(owner: Connection) -> None:
    with refused("42501"):
        call(owner, "enqueue_due_hq_runs")


def test_the_screens_job_list_tells_the_slot_of_the_last_hour(database: Database, service: Connection) -> None:
    jobs = every_hour(database, "a")

    with service.transaction():
        now = one(service, "select now()")["now"]
        listed = {job["key"]: job for job in call(service, "list_hq_jobs")}

    # None comes while October's clock shows an hour for the second time.
    assert {listed["a"]["due_since"]} - {None} == {slot for _, slot in slots_between(jobs, now - HOUR, now)}
    assert listed[JOB]["due_since"] is None


# Several at once.


def test_of_many_who_look_at_once_one_fires(database: Database) -> None:
    found = race(database.connect, [lambda session: look(session, SEVEN)] * 12)

    assert sum(len(slots) for slots in found) == 1
    assert len(_runs(database)) == len(journal_of(database)) == 1


class _Enqueuer(Thread):
    """Looks at the plan at every tick, unless it is paused, or dies in the middle and comes back."""

    def __init__(self, database: Database, ticks: Iterable[datetime | None], gate: Barrier, seed: str) -> None:
        super().__init__()
        self._database = database
        self._ticks = ticks
        self._gate = gate
        self._random = random.Random(seed)
        self._session = database.connect()
        self.deaths = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        paused = 0
        for tick in self._ticks:
            try:
                self._gate.wait(30)
                if tick is None:
                    continue
                paused = (
                    self._random.randrange(1, 12) if paused == 0 and self._random.random() < 0.1 else max(paused - 1, 0)
                )
                if not paused:
                    self._look(tick + timedelta(seconds=self._random.randrange(59)))
            except BaseException as failure:  # noqa: BLE001 - reported by the test
                self.failure = failure
                self._gate.abort()
                return
        self._session.close()

    def _look(self, now: datetime) -> None:
        if self._random.random() < 0.15:
            self.deaths += 1
            self._session.execute("begin")
            look(self._session, now)
            self._session.close()
            self._session = self._database.connect()
        else:
            look(self._session, now)


def _look_until_decided(database: Database, now: datetime) -> None:
    """Look once more, after the session that died last has let go of the clock: whoever looks meanwhile returns."""
    deadline = time.monotonic() + 10
    look(database.sql, now)
    while database.one("select passed_until from hq.plan_clock")["passed_until"] < now:
        assert time.monotonic() < deadline
        time.sleep(0.02)
        look(database.sql, now)


def _end_runs(database: Database) -> None:
    """Let what was fired end, so that the next slot needs a run of its own."""
    database.run("update hq.runs set status = 'completed', completed_at = now() where status = 'pending'")
    database.run("delete from hq.run_queue")


def _ticks(start: datetime, hours: int, outage: int) -> list[datetime | None]:
    """Make a tick every five minutes; during two hours, none."""
    every = [start + n * timedelta(minutes=5) for n in range(hours * 12)]
    return [None if outage <= n < outage + 24 else tick for n, tick in enumerate(every)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 3, 28, 18, tzinfo=UTC),
        datetime(2026, 10, 24, 18, tzinfo=UTC),
        datetime(2026, 7, 5, 18, tzinfo=UTC),
    ],
    ids=["spring", "autumn", "summer"],
)
def test_through_pauses_deaths_and_an_outage_each_slot_is_fired_once_or_told_as_missed(
    start: datetime, seed: int, database: Database
) -> None:
    jobs = every_hour(database, *SITE_JOBS)
    database.run("update hq.scheduled_jobs set run_type = 'CODE_REVIEW', grace_minutes = 60 where key = 'a'")
    wind(database, start)
    chance = random.Random(f"{start} {seed}")
    ticks = _ticks(start, 20, outage=chance.randrange(24, 160))
    held = range(held_from := chance.randrange(200), held_from + 20)
    gate = Barrier(4)
    enqueuers = [_Enqueuer(database, ticks, gate, f"{start} {seed} {n}") for n in range(3)]

    for enqueuer in enqueuers:
        enqueuer.start()
    for n, _ in enumerate(ticks):
        gate.wait(30)
        if n in (held[0], held[-1]):
            database.one(f"select {'hq.pause_runs' if n == held[0] else 'hq.resume_runs'}()")
        _end_runs(database)
    for enqueuer in enqueuers:
        enqueuer.join(30)
    end = start + 20 * HOUR
    _look_until_decided(database, end)

    assert [enqueuer.failure for enqueuer in enqueuers] == [None, None, None]
    assert all(enqueuer.deaths for enqueuer in enqueuers)
    _assert_each_slot_is_accounted_for(database, slots_between(jobs, start, end))


def _assert_each_slot_is_accounted_for(database: Database, wanted: set[tuple[str, datetime]]) -> None:
    decided = {(slot["job_key"], slot["slot_at"]): slot for slot in slots_of(database)}
    assert set(decided) == wanted
    reported: dict[tuple[str, str], list[str]] = {}
    for line in journal_of(database):
        named = line["metadata"]
        for slot in named.get("slots") or [named["slot"]]:
            reported.setdefault((named["job_key"], slot), []).append(line["message"].removeprefix("plan.slot_"))
    asked = [
        (row["job_key"], row["slot"])
        for row in database.rows(
            "select context ->> 'job_key' as job_key, context ->> 'scheduled_time' as slot from hq.run_requests"
        )
    ]
    for (key, at), slot in decided.items():
        name = (key, at.astimezone(PARIS).strftime("%Y-%m-%d %H:%M"))
        assert reported[name] == [slot["outcome"]], name
        assert asked.count(name) == (slot["outcome"] == "fired" and slot["reason"] == "created"), name
    assert {slot["outcome"] for slot in decided.values()} >= {"fired", "missed"}
