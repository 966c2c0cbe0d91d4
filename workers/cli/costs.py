"""The command costs: what the reports of a month cost, as bars per platform, type and model."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Annotated, Final

import typer
from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shared.french import format_count, format_date, format_money, format_number, format_percent
from shared.frozen import FrozenModel
from shared.registry import TIME_ZONE
from shared.untrusted_text import clean_line
from workers.backend.client import open_client
from workers.backend.reader import SupabaseReader
from workers.cli.context import AsJson, EnvFile, run_async, settings_from
from workers.cli.live import Once, View, show
from workers.cli.overview import share_rows
from workers.clock import SystemClock
from workers.ports import Clock, CostLine

CLOCK: Clock = SystemClock()
"""By which the command waits."""

_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_LEAST_BAR: Final = 6
_AMOUNTS: Final = 34
_MOST_BAR: Final = 40
_BESIDE_THE_BAR: Final = 62
"""The columns that a name, an amount, a share and a count take, at most."""


class Cost(FrozenModel):
    """What one platform, type or model cost. The names of the fields are those of ``emocare costs --json``."""

    key: str
    runs: int
    billed_eur: Decimal
    estimated_eur: Decimal
    listed_eur: Decimal
    mean_eur: Decimal


class MonthReport(FrozenModel):
    """What the reports of a month cost, in Paris time."""

    month: str
    total: Cost
    platforms: tuple[Cost, ...]
    types: tuple[Cost, ...]
    models: tuple[Cost, ...]


def _parse_month(given: str | None) -> str | None:
    if given is not None and (not _MONTH.fullmatch(given) or given.startswith("0000")):
        raise typer.BadParameter("write a month as YYYY-MM, for example 2026-11")
    return given


def costs(
    month: Annotated[
        str | None,
        typer.Option(
            "--month",
            metavar="YYYY-MM",
            callback=_parse_month,
            help="The month, in Paris time.",
            show_default="the current month",
        ),
    ] = None,
    every: Annotated[
        float, typer.Option("--every", min=2, max=3600, metavar="SECONDS", help="Seconds between two reads.")
    ] = 30,
    once: Once = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Show what the reports of a month cost, by platform, type and model; q quits."""

    async def body() -> None:
        async with open_client(settings_from(env_file).supabase) as client:
            read = partial(_read, SupabaseReader(client), month)
            await show(read, render_costs, every=every, once=once, as_json=as_json, clock=CLOCK)

    run_async(body())


async def _read(reader: SupabaseReader, month: str | None) -> MonthReport:
    """Read a month; None: the current one, which may have become another since the last time."""
    wanted = month or f"{CLOCK.now().astimezone(TIME_ZONE):%Y-%m}"
    return group_costs(wanted, await reader.read_costs(date.fromisoformat(f"{wanted}-01")))


def group_costs(month: str, lines: Iterable[CostLine]) -> MonthReport:
    """Group the lines of a month by what they are about, the dearest first."""
    scopes: dict[str, list[Cost]] = {"total": [], "platform": [], "type": [], "model": []}
    for line in lines:
        scopes[line.scope].append(Cost(**line.model_dump(exclude={"scope"})))
    zero = Decimal(0)
    nothing = Cost(key="", runs=0, billed_eur=zero, estimated_eur=zero, listed_eur=zero, mean_eur=zero)
    return MonthReport(
        month=month,
        total=next(iter(scopes["total"]), nothing),
        platforms=tuple(scopes["platform"]),
        types=tuple(scopes["type"]),
        models=tuple(scopes["model"]),
    )


def render_costs(view: View[MonthReport], *, width: int, height: int | None = None) -> RenderableType:
    """Draw the bars, as many as the height allows; None: a page without an end. Pure."""
    head = [*_draw_head(view, is_screen=height is not None)]
    report = view.data
    if report is None or not (report.platforms or report.types or report.models):
        return Group(*head)
    sections = [
        (title, costs)
        for title, costs in (
            ("Par plateforme", report.platforms),
            ("Par type", report.types),
            ("Par modèle", report.models),
        )
        if costs
    ]
    room = [len(costs) for _, costs in sections]
    if height is not None:
        room = share_rows(room, height - len(head) - 2 * len(sections))
    names = max(len(_name(cost)) for _, costs in sections for cost in costs)
    drawn = [
        part
        for (title, costs), rows in zip(sections, room, strict=True)
        for part in (Text(), Text(title, "bold cyan"), *_draw_bars(costs, rows, report.total.billed_eur, width, names))
    ]
    return Group(*head, *drawn)


def _draw_head(view: View[MonthReport], *, is_screen: bool) -> Iterator[RenderableType]:
    leave = " · q : quitter" if is_screen else ""
    read = f" · lu à {view.read_at.astimezone(TIME_ZONE):%H:%M:%S}" if is_screen and view.read_at else ""
    if view.offline_since is not None:
        since = view.offline_since.astimezone(TIME_ZONE)
        yield _line(f"hors ligne depuis {since:%H:%M:%S} · {clean_line(view.fault)}", "bold red")
    report = view.data
    if report is None:
        yield _line(f"Aucune donnée pour l'instant.{leave}", "dim")
        return
    name = format_date(date.fromisoformat(f"{report.month}-01")).partition(" ")[2]
    total = report.total
    if not (report.platforms or report.types or report.models):
        yield _line(f"Coût de l'IA, {name} : aucune exécution.{read}{leave}", "bold")
        return
    yield _line(
        f"Coût de l'IA, {name} : {_money(total.billed_eur)} pour {format_count(total.runs, 'exécution', 'exécutions')}"
        f"{leave}",
        "bold",
    )
    yield _line(
        f"dont {_money(total.estimated_eur)} estimés · au tarif du registre : {_money(total.listed_eur)}{read}", "dim"
    )


def _draw_bars(costs: Sequence[Cost], rows: int, total: Decimal, width: int, names: int) -> Iterator[RenderableType]:
    shown = costs if rows >= len(costs) else costs[: max(rows - 1, 0)]
    dearest = float(max(cost.billed_eur for cost in costs))
    bar = max(_LEAST_BAR, min(_MOST_BAR, width - _BESIDE_THE_BAR))
    table = Table(box=None, show_header=False, pad_edge=False)
    # The names give way where there is no room; where there is, all bars begin in one column.
    table.add_column(min_width=names if width >= names + bar + _AMOUNTS else None)
    table.add_column(no_wrap=True, min_width=bar)
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    for cost in shown:
        share = format_percent(100 * cost.billed_eur / total) if total else "-"
        table.add_row(
            _line(_name(cost), ""),
            Bar(dearest or 1, 0, float(cost.billed_eur), width=bar, color="cyan", bgcolor="grey23"),
            _money(cost.billed_eur),
            share,
            f"{format_number(cost.runs)} ex.",
        )
    if shown:
        yield table
    if len(shown) < len(costs):
        rest = costs[len(shown) :]
        amount = _money(sum((cost.billed_eur for cost in rest), Decimal(0)))
        yield _line(f"… et {format_count(len(rest), 'autre', 'autres')} : {amount}", "dim")


def _name(cost: Cost) -> str:
    return clean_line({"global": "(toutes)", "": "(inconnu)"}.get(cost.key, cost.key), 36)


def _money(amount: Decimal) -> str:
    """Write an amount; less than a euro to a hundredth of a cent, because one report costs about a cent."""
    return format_money(amount, "EUR", 4 if 0 < abs(amount) < 1 else 2)


def _line(text: str, style: str) -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")
