"""The platforms of the database, described in French."""

from datetime import UTC, datetime
from decimal import Decimal

from support.clock import FakeClock

from shared.findings import Collected, GapReason
from shared.registry import find_run_type
from workers.ports import Platform, Subject
from workers.sources.platforms import PlatformsSource


async def collect(clock: FakeClock, *platforms: Platform) -> Collected:
    run_type = find_run_type("PLATFORM_STATUS_REVIEW")
    return await PlatformsSource(clock=clock).collect(Subject(run_type=run_type, platforms=platforms))


async def test_each_platform_is_one_line_with_what_is_known(clock: FakeClock) -> None:
    full = Platform(
        key="emotionscare",
        name="EmotionsCare",
        description="Bien-être\nau travail",
        status="amber",
        status_reason="Latence élevée",
        uptime_percent=Decimal("99.50"),
        last_release_at=datetime(2026, 11, 2, 23, 30, tzinfo=UTC),
    )
    bare = Platform(key="nearvity", name="NEARVITY", status="green")

    (finding,) = (await collect(clock, full, bare)).findings

    assert finding.label == "Base du QG · plateformes"
    first, second = finding.text.splitlines()
    assert first == (
        "- EmotionsCare [emotionscare] : statut orange (Latence élevée) ; disponibilité enregistrée 99,50 % ; "
        "dernière version le 3 novembre 2026 ; Bien-être au travail"
    )
    assert second == "- NEARVITY [nearvity] : statut vert"
    assert finding.data == {"platforms": 2, "green": 1, "amber": 1, "red": 0}
    assert finding.read_at == clock.now()


async def test_no_platform_is_a_gap(clock: FakeClock) -> None:
    collected = await collect(clock)

    assert collected.findings == ()
    assert [gap.reason for gap in collected.gaps] == [GapReason.EMPTY]


async def test_what_is_unknown_is_left_out_and_the_text_is_bounded(clock: FakeClock) -> None:
    many = [Platform(key=f"p{n}", name="N" * 500, status="red", description="D" * 500) for n in range(50)]

    (finding,) = (await collect(clock, *many)).findings

    assert "disponibilité" not in finding.text
    assert len(finding.text) <= 4_000
