"""The screen of ``emocare top``, drawn into the lines and columns that there are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shared.french import format_count, format_duration, format_money, format_number, format_percent
from shared.registry import TIME_ZONE
from shared.untrusted_text import clean_line
from workers.cli.live import View
from workers.cli.terminal import MARKS
from workers.ports import HealthLine, MonthCost, Overview, QueuedRun, WorkerLine

_WIDE: Final = 120
_BAR_COLUMNS: Final = 20
_STATE_COLOURS: Final = {
    "en cours": "cyan",
    "en attente": "yellow",
    "nouvel essai": "yellow",
    "en pause": "yellow",
    "en retard": "red",
    "sans nouvelles": "red",
    "hors file": "magenta",
}
# The health is read every 15 s: one that is older than this could not be read.
_HEALTH_AGES: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class _Section:
    """A list with its title: the rows that were read, and how many there are in truth."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Text]]
    total: int

    def draw(self, rows: int | None) -> RenderableType:
        """Draw it in so many rows; what is left out is counted in the last."""
        shown = self.rows
        if rows is not None and rows < self.wanted:
            shown = shown[: max(rows - 1, 0)]
        table = Table(box=None, show_header=bool(self.headers and shown), header_style="bold", pad_edge=False)
        for place, cell in enumerate(shown[0] if shown else ()):
            header = Text(self.headers[place], no_wrap=True, overflow="ellipsis") if self.headers else ""
            # Columns that may not wrap are the last to be made narrower: a cell of the others is cut, not wrapped.
            table.add_column(header, justify=cell.justify or "left", no_wrap=not cell.no_wrap, overflow="ellipsis")
        for row in shown:
            table.add_row(*row)
        left = self.total - len(shown)
        parts: list[RenderableType] = [Text(self.title, "bold cyan"), *([table] if shown else [])]
        if left > 0:
            parts.append(Text(f"… et {format_count(left, 'autre', 'autres')}", "dim"))
        return Group(*parts)

    @property
    def wanted(self) -> int:
        """Return how many rows show everything: the line that counts the rest is one of them."""
        return len(self.rows) + (self.total > len(self.rows))

    @property
    def overhead(self) -> int:
        """Return the lines that it takes besides its rows: a blank one, its title, its headers."""
        return 2 + bool(self.headers)


def render_overview(view: View[Overview], *, width: int, height: int | None = None) -> RenderableType:
    """Draw everything, or as much as the height allows; None: a page without an end. Pure."""
    head = [_draw_title(view, hint="" if height is None else " · q : quitter"), *_draw_outage(view)]
    if view.data is None:
        return Group(*head, Text("Aucune donnée pour l'instant.", "dim"))
    summary = _draw_summary(view.data)
    sections = [section for section in _list_sections(view.data, wide=width >= _WIDE) if section.wanted]
    room: Sequence[int | None] = [None] * len(sections)
    hidden: list[RenderableType] = []
    if height is not None:
        left = height - len(head) - summary.row_count
        sections, unseen = _keep_what_fits(sections, left)
        if unseen:
            left -= 1
            hidden = [_cut(Text(f"… sans place : {', '.join(section.title for section in unseen)}", "dim"))]
        left -= sum(section.overhead for section in sections)
        room = share_rows([section.wanted for section in sections], left)
    drawn = [part for section, rows in zip(sections, room, strict=True) for part in (Text(), section.draw(rows))]
    return Group(*head, summary, *drawn, *hidden)


def _keep_what_fits(sections: list[_Section], lines: int) -> tuple[list[_Section], list[_Section]]:
    """Return the first sections that have room for a row each, and those that are left out, which take a line."""
    kept = len(sections)
    while kept and sum(section.overhead + 1 for section in sections[:kept]) + (kept < len(sections)) > lines:
        kept -= 1
    return sections[:kept], sections[kept:]


def share_rows(wanted: Sequence[int], room: int) -> list[int]:
    """Share rows among lists: none gets more than it wants, and what one leaves goes to the others."""
    given = [0] * len(wanted)
    for _ in range(min(room, sum(wanted))):
        short = [place for place, rows in enumerate(given) if rows < wanted[place]]
        given[min(short, key=given.__getitem__)] += 1
    return given


def _draw_title(view: View[Overview], *, hint: str) -> RenderableType:
    at = f"{view.now.astimezone(TIME_ZONE):%d/%m/%Y %H:%M:%S} (Paris)"
    read = f" · lu à {view.read_at.astimezone(TIME_ZONE):%H:%M:%S}" if view.read_at else ""
    return _cut(Text.assemble(("EMOCARE HQ", "bold"), (f" · {at}{read}{hint}", "dim")))


def _draw_outage(view: View[Overview]) -> Iterator[RenderableType]:
    if view.offline_since is not None:
        since = view.offline_since.astimezone(TIME_ZONE)
        yield _cut(Text(f"hors ligne depuis {since:%H:%M:%S} · {clean_line(view.fault)}", "bold red"))


def _draw_summary(data: Overview) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(Text("File", "bold"), _cut(_describe_queue(data)))
    grid.add_row(Text("Coût du mois", "bold"), _draw_cost(data.month))
    grid.add_row(Text("Ouvriers", "bold"), _cut(_describe_workers(data)))
    if data.health or data.health is None:
        grid.add_row(Text("Santé", "bold"), _cut(_describe_health(data)))
    return grid


def _describe_queue(data: Overview) -> Text:
    queue = data.queue
    text = Text(f"{format_number(queue.waiting)} en attente · {format_number(queue.running)} en cours")
    if queue.is_paused:
        text.append(" · en pause", "yellow")
    elif queue.oldest_due_seconds:
        colour = "red" if queue.oldest_due_seconds > timedelta(minutes=1).total_seconds() else ""
        text.append(f" · la première attend depuis {_age(round(queue.oldest_due_seconds))}", colour)
    return text


def _draw_cost(month: MonthCost) -> RenderableType:
    colour = "red" if month.is_exhausted else "yellow" if month.is_warned else "green"
    line = Table.grid(padding=(0, 1))
    line.add_row(
        Bar(100, 0, float(min(month.pct_used, Decimal(100))), width=_BAR_COLUMNS, color=colour, bgcolor="grey23"),
        _cut(
            Text(
                f"{format_money(month.month_cost_eur, 'EUR')} sur {format_money(month.target_eur, 'EUR')}"
                f" ({format_percent(month.pct_used)})",
                colour,
            )
        ),
    )
    return line


def _describe_workers(data: Overview) -> Text:
    alive = f"{format_count(data.workers_alive, 'vivant', 'vivants')} sur {format_number(data.workers_known)}"
    text = Text(alive, "" if data.workers_alive else "red")
    if data.workers_deaf:
        text.append(f" · {format_number(data.workers_deaf)} sans Realtime", "yellow")
    return text


def _describe_health(data: Overview) -> Text:
    if data.health is None:
        return Text("pas encore lue : la base tarde à répondre", "yellow")
    text = _count_states(data.health)
    if data.health_at is not None and data.at - data.health_at > _HEALTH_AGES:
        text.append(f" · lue il y a {_age(round((data.at - data.health_at).total_seconds()))}", "yellow")
    return text


def _count_states(health: Sequence[HealthLine]) -> Text:
    counted = ((state, sum(line.state == state for line in health)) for state in ("red", "amber", "green"))
    parts = [Text(f"{MARKS[state][0]} {number}", MARKS[state][1]) for state, number in counted if number]
    return Text("  ").join(parts)


def _list_sections(data: Overview, *, wide: bool) -> Iterator[_Section]:
    unwell = [line for line in data.health or () if line.state != "green"]
    yield _Section("À regarder", (), [_health_row(line) for line in unwell], len(unwell))
    headers = ["type", "plateforme", "état", "essai", "âge", *(["ouvrier", "pourquoi"] if wide else [])]
    runs = [_run_row(run, wide=wide) for run in data.runs]
    yield _Section("Exécutions", headers, runs, max(data.queue.running + data.queue.waiting, len(runs)))
    headers = ["ouvrier", "état", "Realtime", "charge", "vu il y a", "version"]
    workers = [_worker_row(worker) for worker in data.workers]
    yield _Section("Ouvriers", headers, workers, max(data.workers_known, len(workers)))


def _health_row(line: HealthLine) -> list[Text]:
    return [Text(*MARKS[line.state]), Text(clean_line(line.name), "bold"), _cut(Text(clean_line(line.sentence, 400)))]


def _run_row(run: QueuedRun, *, wide: bool) -> list[Text]:
    row = [
        _cut(Text(clean_line(run.run_type, 40))),
        _cut(Text(clean_line(run.platform_key or "(toutes)", 20))),
        Text(clean_line(run.state, 20), _STATE_COLOURS.get(run.state, "")),
        Text(clean_line(run.attempt or "-", 20), justify="right"),
        Text(_age(run.age_seconds), justify="right"),
    ]
    if wide:
        row += [_cut(Text(clean_line(run.worker_id or "-", 24))), _cut(Text(clean_line(run.reason), "dim"))]
    return row


def _hearing(worker: WorkerLine) -> Text:
    if not worker.is_alive:
        return Text("-", "dim")  # what it said last is not what it does
    return Text("en direct", "green") if worker.hears_realtime else Text("dégradé", "yellow")


def _worker_row(worker: WorkerLine) -> list[Text]:
    return [
        _cut(Text(clean_line(worker.worker_id, 24))),
        Text("vivant", "green") if worker.is_alive else Text("muet", "red"),
        _hearing(worker),
        Text(f"{worker.running}/{worker.concurrency}", justify="right"),
        Text(_age(worker.seen_seconds), justify="right"),
        _cut(Text(clean_line(worker.version or "-", 32), "dim")),
    ]


def _cut(text: Text) -> Text:
    """Let a text be cut where there is no room for it, not wrapped."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _age(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    age = timedelta(seconds=max(seconds, 0))
    if age < _HOUR:
        return format_duration(age)
    hours, rest = divmod(age, _HOUR)
    if hours < 2 * 24:
        return f"{hours} h {rest // timedelta(minutes=1):02d}"
    return format_count(hours // 24, "jour", "jours")
