"""The platforms of the database, described in French."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from support.clock import FakeClock

from shared.facts import FactName
from shared.findings import Collected, GapReason
from shared.french import format_day, format_moment
from shared.registry import find_run_type
from workers.ports import Platform, Subject
from workers.sources.platforms import PlatformsSource

NOW = FakeClock().now()


def platform(key: str, **fields: object) -> Platform:
    """Make a platform whose site was checked for thirty days."""
    watched = {"checks": 8640, "checked_since": NOW - timedelta(days=30), "checked_at": NOW - timedelta(minutes=4)}
    return Platform.model_validate({"key": key, "name": key.upper(), "status": "green", **watched, **fields})


async def collect(
    clock: FakeClock, *platforms: Platform, run_type: str = "SECURITY_AUDIT_RLS", platform_key: str | None = None
) -> Collected:
    subject = Subject(run_type=find_run_type(run_type), platforms=platforms, platform_key=platform_key)
    return await PlatformsSource(clock=clock).collect(subject)


def values_of(collected: Collected) -> dict[tuple[FactName, str | None], Decimal]:
    assert len({(fact.name, fact.subject) for fact in collected.facts}) == len(collected.facts)
    return {(fact.name, fact.subject): fact.value for fact in collected.facts}


async def test_each_platform_is_one_line_with_what_is_known(clock: FakeClock) -> None:
    full = platform(
        "emotionscare",
        name="EmotionsCare",
        description="Bien-être\nau travail",
        status="amber",
        status_reason="Latence élevée",
        uptime_percent=Decimal("99.50"),
        outage_minutes=216,
        last_release_at=datetime(2026, 11, 2, 23, 30, tzinfo=UTC),
    )

    collected = await collect(clock, full, platform("nearvity", uptime_percent=Decimal("100.00")))

    (finding,) = collected.findings
    assert collected.gaps == ()
    assert finding.label == "Base du QG · plateformes"
    first, second = finding.text.replace("\u202f", " ").splitlines()
    assert first == (
        "- EmotionsCare [emotionscare] : statut orange (Latence élevée) ; disponibilité 99,50 % sur 30 jours "
        "(8 640 contrôles, 216 minutes d'indisponibilité) ; dernière version le 3 novembre 2026 ; Bien-être au travail"
    )
    assert second == (
        "- NEARVITY [nearvity] : statut vert ; disponibilité 100,00 % sur 30 jours "
        "(8 640 contrôles, 0 minute d'indisponibilité)"
    )
    assert finding.data == {"platforms": 2, "green": 1, "amber": 1, "red": 0}
    assert finding.read_at == clock.now()
    assert values_of(collected) == {
        (FactName.PLATFORMS, None): 2,
        (FactName.PLATFORMS_GREEN, None): 1,
        (FactName.PLATFORMS_AMBER, None): 1,
        (FactName.PLATFORMS_RED, None): 0,
        (FactName.UPTIME, "emotionscare"): Decimal("99.50"),
        (FactName.OUTAGE, "emotionscare"): 216,
        (FactName.CHECKS, "emotionscare"): 8640,
        (FactName.UPTIME, "nearvity"): 100,
        (FactName.OUTAGE, "nearvity"): 0,
        (FactName.CHECKS, "nearvity"): 8640,
    }


async def test_a_site_that_nobody_checks_is_a_gap_and_not_green(clock: FakeClock) -> None:
    """What its row holds is the default of two columns."""
    unwatched = Platform(key="nearvity", name="NEARVITY", status="green")

    collected = await collect(clock, unwatched, platform("med-mng", uptime_percent=Decimal("99.9")))

    (gap,) = collected.gaps
    assert (gap.label, gap.reason) == ("Base du QG · plateformes · NEARVITY", GapReason.EMPTY)
    assert "PLATFORM_URLS" in gap.sentence
    assert "- NEARVITY [nearvity] : statut inconnu (site jamais contrôlé)\n" in collected.findings[0].text
    assert collected.findings[0].data == {"platforms": 2, "green": 1, "amber": 0, "red": 0}
    # How many of all are green is not known.
    assert values_of(collected).keys() == {
        (FactName.PLATFORMS, None),
        *((name, "med-mng") for name in (FactName.UPTIME, FactName.OUTAGE, FactName.CHECKS)),
    }


async def test_a_state_that_a_person_wrote_stands_as_theirs(clock: FakeClock) -> None:
    written = Platform(key="nearvity", name="NEARVITY", status="red", status_reason="Fermée pour travaux")

    collected = await collect(clock, written)

    assert "statut rouge (Fermée pour travaux), saisi à la main" in collected.findings[0].text
    assert len(collected.gaps) == 1
    assert values_of(collected)[(FactName.PLATFORMS_RED, None)] == 1


async def test_less_than_a_day_of_checks_makes_no_share(clock: FakeClock) -> None:
    young = platform("nearvity", checks=12, outage_minutes=1, checked_since=NOW - timedelta(hours=1))

    collected = await collect(clock, young)

    assert (
        "moins d'un jour de contrôles (12 contrôles, 1 minute d'indisponibilité) : pas encore de taux de disponibilité"
        in collected.findings[0].text
    )
    assert (FactName.UPTIME, "nearvity") not in values_of(collected)
    assert collected.gaps == ()


async def test_a_short_period_and_an_old_check_are_dated(clock: FakeClock) -> None:
    since, at = NOW - timedelta(days=12), NOW - timedelta(hours=5)
    aged = platform("nearvity", uptime_percent=Decimal("99.95"), checked_since=since, checked_at=at)

    (finding,) = (await collect(clock, aged)).findings

    assert f"disponibilité 99,95 % depuis le {format_day(since)} (" in finding.text
    assert f"statut vert, dernier contrôle le {format_moment(at)}" in finding.text


async def test_where_github_is_asked_the_typed_release_is_left_out(clock: FakeClock) -> None:
    released = platform("nearvity", last_release_at=datetime(2026, 1, 2, tzinfo=UTC))

    (finding,) = (await collect(clock, released, run_type="PLATFORM_STATUS_REVIEW")).findings

    assert "version" not in finding.text


async def test_one_platform_alone_says_nothing_of_the_company(clock: FakeClock) -> None:
    collected = await collect(clock, platform("nearvity"), platform_key="nearvity")

    assert {subject for _, subject in values_of(collected)} == {"nearvity"}
    assert collected.findings[0].platform_key == "nearvity"


async def test_no_platform_is_a_gap(clock: FakeClock) -> None:
    collected = await collect(clock)

    assert collected.findings == ()
    assert [gap.reason for gap in collected.gaps] == [GapReason.EMPTY]


async def test_what_is_unknown_is_left_out_and_the_text_is_bounded(clock: FakeClock) -> None:
    many = [Platform(key=f"p{n}", name="N" * 500, status="red", description="D" * 500) for n in range(50)]

    (finding,) = (await collect(clock, *many)).findings

    assert "disponibilité" not in finding.text
    assert len(finding.text) <= 4_000
