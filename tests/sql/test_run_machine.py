"""Whatever is called in whatever order, the database does what a model of twenty lines says.

The laws: one owner per run at most; attempts stay within their bound; tokens only grow; a stale token writes nothing;
a run that ended never changes by itself; and at last every run that was accepted ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from support.calls import call, claim, expire, footprint, lease, request, rescue, settle, step, value
from support.database import Database, Row

# Two, so that a short story can use them up.
MAX_ATTEMPTS = 2
LIVE = ("pending", "running")
FINAL = ("completed", "failed", "cancelled")
PROGRESS = ["En attente", "Rédaction en cours"]


@dataclass
class Run:
    """What the model knows of a run."""

    key: str | None
    status: str = "pending"
    queued: bool = True
    holder: int | None = None
    expired: bool = False
    attempt: int = 0
    settled: int | None = None
    # The row as it was when it ended; None while it may change.
    print: str | None = None

    def is_held_by(self, token: int) -> bool:
        return self.queued and self.holder == token and self.status == "running"

    def is_claimable(self) -> bool:
        return self.queued and self.holder is None and self.status == "pending"

    def requeue(self, *, lost_attempts: int) -> None:
        self.status, self.holder, self.expired = "pending", None, False
        self.attempt += lost_attempts
        if self.attempt == MAX_ATTEMPTS:
            self.attempt -= lost_attempts
            self.end("failed")

    def be_rescued(self) -> Iterator[str]:
        """Put the run right; say what was done, as the database counts it."""
        if self.queued and self.status in FINAL:
            self.end(self.status)
            yield "dropped"
        elif self.queued and (self.status == "pending") is (self.holder is not None):
            self.requeue(lost_attempts=0)
            yield "requeued"
        elif self.expired:
            self.requeue(lost_attempts=1)
            yield "failed" if self.status == "failed" else "requeued"
        elif self.status == "pending" and not self.queued:
            self.queued, self.key, self.attempt, self.settled = True, None, 0, None
            yield "adopted"

    def end(self, status: str) -> None:
        self.status, self.queued, self.holder, self.expired = status, False, None, False


class RunMachine(RuleBasedStateMachine):
    """Drives the database and the model side by side."""

    runs: Bundle[UUID] = Bundle("runs")
    leases: Bundle[Row] = Bundle("leases")

    def __init__(self, database: Database) -> None:
        super().__init__()
        database.run("delete from hq.runs")
        self.database = database
        self.sql = database.sql
        self.model: dict[UUID, Run] = {}
        self.highest_token = 0

    # What workers and people do.

    @rule(target=runs, run_type=st.sampled_from(["SEO_AUDIT", "CODE_REVIEW"]), force=st.booleans())
    def ask(self, run_type: str, force: bool) -> Any:  # noqa: FBT001 - hypothesis names its arguments
        ticket = request(self.sql, run_type, force=force)
        same = [run for run in self.model.values() if run.key == run_type and run.queued]
        if not ticket["created"]:
            answer = self.model[ticket["run_id"]]
            assert not force
            assert ticket["status"] == answer.status
            assert answer in same if ticket["reason"] == "already_running" else answer.status in FINAL
            return multiple()
        if not force:
            assert not [run for run in same if run.status in LIVE]
            for ended_by_hand in same:
                ended_by_hand.end(ended_by_hand.status)
        self.model[ticket["run_id"]] = Run(key=None if force else run_type)
        return ticket["run_id"]

    @rule(target=leases, worker=st.sampled_from(["worker-1", "worker-2"]), limit=st.integers(1, 3))
    def claim(self, worker: str, limit: int) -> Any:
        claimable = sum(run.is_claimable() for run in self.model.values())
        claims = claim(self.sql, worker, limit=limit)

        assert len(claims) == min(limit, claimable)
        highest_before = self.highest_token
        for claimed in claims:
            run = self.model[claimed["run_id"]]
            assert run.is_claimable()
            assert claimed["lease_token"] > highest_before
            assert claimed["attempt"] == run.attempt + 1 <= MAX_ATTEMPTS
            run.status, run.holder, run.expired = "running", claimed["lease_token"], False
            self.highest_token = max(self.highest_token, claimed["lease_token"])
        return multiple(*({**claimed, "worker": worker} for claimed in claims))

    @rule(held=leases)
    def checkpoint(self, held: Row) -> None:
        before = footprint(self.database, held["run_id"])

        kept = value(self.sql, "checkpoint_hq_step", **lease(held), step=step(output={"token": held["lease_token"]}))

        assert kept is self._is_held(held)
        assert kept or footprint(self.database, held["run_id"]) == before

    @rule(held=leases, outcome=st.sampled_from(["completed", "failed", "retry"]))
    def settle(self, held: Row, outcome: str) -> None:
        run, token = self.model.get(held["run_id"]), held["lease_token"]
        if run is None or not run.is_held_by(token):
            repeated = run is not None and run.settled == token
            before = footprint(self.database, held["run_id"])
            assert settle(self.sql, held, outcome) == (run.status if run is not None and repeated else "lost")
            assert footprint(self.database, held["run_id"]) == before
            return
        answer = settle(self.sql, held, outcome)
        run.requeue(lost_attempts=1) if outcome == "retry" else run.end(outcome)
        run.settled = token
        assert answer == run.status

    @rule(held=leases)
    def renew(self, held: Row) -> None:
        beat = {"version": "0", "concurrency": 1, "realtime": "live", "started_at": "2026-11-22T10:00:00Z"}
        params = {"worker_id": held["worker"], "leases": [lease(held)], "lease_seconds": 30, "heartbeat": beat}
        (answer,) = call(self.sql, "renew_hq_leases", **params)

        assert (answer["state"] == "held") is self._is_held(held)
        if answer["state"] == "held":
            self.model[held["run_id"]].expired = False

    @rule(held=leases)
    def release(self, held: Row) -> None:
        released = value(self.sql, "release_hq_runs", leases=[lease(held)])

        assert released == self._is_held(held)
        if released:
            self.model[held["run_id"]].requeue(lost_attempts=0)

    @rule(run_id=runs)
    def cancel(self, run_id: UUID) -> None:
        run = self.model[run_id]
        answer = value(self.sql, "cancel_hq_run", run_id=run_id)
        if run.status in LIVE:
            run.end("cancelled")
        assert answer == run.status

    # What goes wrong, and what is done by hand.

    @rule()
    def let_leases_run_out(self) -> None:
        expire(self.database)
        for run in self.model.values():
            run.expired = run.holder is not None

    @rule(run_id=runs, status=st.sampled_from([*LIVE, *FINAL]))
    def change_by_hand(self, run_id: UUID, status: str) -> None:
        run = self.model[run_id]
        if status == "running" and not run.queued:
            return  # said to run by other means than ours: like older code's rows, none of our business
        self.database.run("update hq.runs set status = %s where id = %s", status, run_id)
        run.status, run.print = status, None

    @rule(run_id=consumes(runs))
    def delete_by_hand(self, run_id: UUID) -> None:
        self.database.run("delete from hq.runs where id = %s", run_id)
        del self.model[run_id]

    @rule()
    def rescue(self) -> None:
        done = dict.fromkeys(("requeued", "failed", "adopted", "dropped"), 0)
        for run in self.model.values():
            for change in run.be_rescued():
                done[change] += 1

        assert rescue(self.sql) == done

    def _is_held(self, held: Row) -> bool:
        return held["run_id"] in self.model and self.model[held["run_id"]].is_held_by(held["lease_token"])

    # What always holds.

    @invariant()
    def the_database_is_as_the_model_says(self) -> None:
        rows = self.database.rows(
            "select r.id, r.status::text, q.run_id is not null as queued, r.executive_summary = any(%s) as goes_on, "
            # A run that is ended by hand loses a summary that says it goes on, and nothing else.
            "md5(concat(to_jsonb(r) - 'executive_summary', case when r.executive_summary <> all(%s) "
            "then r.executive_summary end)) as print, "
            "coalesce(q.attempt, 0) as attempt, case when q.worker_id is not null then q.lease_token end as holder, "
            "coalesce(q.leased_until < now(), false) as expired "
            "from hq.runs as r left join hq.run_queue as q on q.run_id = r.id",
            PROGRESS,
            PROGRESS,
        )
        assert len(rows) == len(self.model)
        for row in rows:
            run = self.model[row["id"]]
            assert (row["status"], row["queued"], row["holder"], row["expired"]) == (
                *(run.status, run.queued, run.holder, run.expired),
            )
            assert not run.queued or row["attempt"] == run.attempt < MAX_ATTEMPTS
            assert run.queued or not row["goes_on"]
            run.print = None if run.status in LIVE else run.print or row["print"]
            assert run.print in {None, row["print"]}

    def teardown(self) -> None:
        """Let everybody come back, and see every accepted run end."""
        expire(self.database)
        rescue(self.sql)
        for claimed in claim(self.sql):
            settle(self.sql, claimed)
        assert not self.database.rows("select * from hq.run_queue")
        assert not self.database.rows("select * from hq.runs where status in ('pending', 'running')")


def _drive(database: Database, examples: int, steps: int) -> None:
    database.run(f"alter table hq.run_queue alter max_attempts set default {MAX_ATTEMPTS}")

    class Driven(RunMachine):
        def __init__(self) -> None:
            super().__init__(database)

    depth = settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    run_state_machine_as_test(Driven, settings=settings(depth, suppress_health_check=list(HealthCheck)))


def test_the_database_does_what_the_model_says(database: Database) -> None:
    _drive(database, examples=150, steps=30)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_database_does_what_the_model_says_in_depth(database: Database) -> None:
    _drive(database, examples=1000, steps=60)
