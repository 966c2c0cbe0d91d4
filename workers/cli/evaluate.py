"""The command eval: what each model makes of a made-up company's data, held against the rules of verification.

It asks real models, which costs what a report costs; nothing of ours is sent, and nothing is stored.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Final

import typer
from rich.table import Table

from shared.errors import ConfigurationError, GatewayError
from shared.registry import RunType, find_run_type
from workers import outbound
from workers.cli.context import EnvFile, run_async, settings_from
from workers.cli.terminal import console
from workers.clock import SystemClock
from workers.executive_run.compose import compose
from workers.executive_run.specimen import make_grounds
from workers.executive_run.verification.model import FaultKind, Verification
from workers.executive_run.verification.verify import verify
from workers.gateway.chat import ChatGateway
from workers.ports import Meter
from workers.settings import GatewaySettings

_USUAL_TYPES: Final = ("DAILY_EXECUTIVE_BRIEF", "FINANCIAL_REPORT", "VULNERABILITY_SCAN")
_COLUMNS: Final = (
    "model",
    "reports",
    "usable",
    "asked again",
    "contradicted",
    "unverified",
    "figures",
    "EUR",
    "seconds",
)


@dataclass
class Score:
    """What the reports of one model were worth, what they cost and how long they took."""

    model: str
    verified: list[Verification] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    cost_eur: Decimal = Decimal(0)
    seconds: float = 0.0

    @property
    def usable(self) -> int:
        """Count the reports that may be stored."""
        return sum(found.is_usable for found in self.verified)

    @property
    def asked_again(self) -> int:
        """Count the reports that would be asked for again."""
        return sum(found.is_worth_asking_again for found in self.verified)

    def count(self, kind: FaultKind) -> int:
        """Count the faults of a kind."""
        return sum(found.count(kind) for found in self.verified)


def evaluate(
    model: Annotated[
        list[str] | None, typer.Option("--model", metavar="ID", help="Model to ask, of the settings if none is named.")
    ] = None,
    run_type: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="KEY", help="Run type to ask for, three usual ones if none is."),
    ] = None,
    env_file: EnvFile = None,
) -> None:
    """Have models write reports about a made-up company; print quality, cost and seconds. This costs money."""
    settings = settings_from(env_file).gateway
    if settings.api_key is None:
        raise ConfigurationError("LOVABLE_API_KEY is absent: there is no model to ask.")
    models = model or list(dict.fromkeys(name for names in settings.models.values() for name in names))
    types = [find_run_type(key) for key in run_type or _USUAL_TYPES]
    scores = run_async(measure(settings, models, types))
    console.print(_tabulate(scores))
    for score in scores:
        for failure in score.failures:
            console.print(f"{score.model}: {failure}")
    if any(score.failures for score in scores):
        raise typer.Exit(1)


async def measure(settings: GatewaySettings, models: Sequence[str], run_types: Sequence[RunType]) -> list[Score]:
    """Ask each model for each report, with data and without.

    Cost: two questions for each model and run type, one after the other, so that their seconds can be compared.
    """
    asked = settings.model_copy(update={f"models_{tier.value}": tuple(models) for tier in settings.models})
    scores = [Score(model) for model in models]
    async with outbound.open_http(outbound.open_post_transport(max_connections=None)) as http:
        gateway = ChatGateway(http, asked, clock=SystemClock())
        for score in scores:
            for run_type, answered in _cells(run_types):
                await _ask(gateway, score, run_type, answered=answered)
    return scores


def _cells(run_types: Sequence[RunType]) -> Iterator[tuple[RunType, bool]]:
    yield from ((run_type, answered) for run_type in run_types for answered in (True, False))


async def _ask(gateway: ChatGateway, score: Score, run_type: RunType, *, answered: bool) -> None:
    grounds = make_grounds(run_type, now=SystemClock().now(), answered=answered)
    messages = compose(grounds, without_data=(), nonce=secrets.token_hex(8))
    meter = Meter()
    clock = SystemClock()
    begun = clock.monotonic()
    try:
        answer = await gateway.ask(run_type.tier, messages, meter=meter, only=score.model)
    except GatewayError as error:
        score.failures.append(f"{run_type.key}: {error.code}")
    else:
        score.verified.append(verify(answer.text, grounds))
    score.seconds += clock.monotonic() - begun
    score.cost_eur += meter.total.cost_eur


def _tabulate(scores: Sequence[Score]) -> Table:
    table = Table(box=None, header_style="bold")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column == "model" else "right")
    for score in sorted(scores, key=lambda each: (-each.usable, each.asked_again, each.cost_eur)):
        table.add_row(
            score.model,
            str(len(score.verified) + len(score.failures)),
            str(score.usable),
            str(score.asked_again),
            str(score.count(FaultKind.CONTRADICTED)),
            str(score.count(FaultKind.UNVERIFIED)),
            str(sum(found.figures for found in score.verified)),
            f"{score.cost_eur:.4f}",
            f"{score.seconds:.1f}",
        )
    return table
