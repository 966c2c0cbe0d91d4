"""The system prompt, rendered from an entry of the registry into the text of ``system.md``."""

from functools import cache
from importlib.resources import files
from string import Template
from typing import Final

from shared.run_types.model import RunType

DATA_TAG: Final = "donnees"
"""A prompt's data are between ``<donnees-X>`` and ``</donnees-X>``; X is drawn at random for each prompt."""

SOURCES_SECTION: Final = "Sources"
MISSING_DATA_SECTION: Final = "Données manquantes"
"""The two sections that close every stored report. Our code writes them, not the model."""


def render_system_prompt(run_type: RunType) -> str:
    """Render what the model reads before any data: who it is, its mission, the outline, the rules."""
    return _template().substitute(
        agent=run_type.agent.name,
        title=run_type.agent.title,
        label=run_type.label,
        purpose=run_type.purpose,
        outline="\n".join(
            f"{number}. **{section.title}** — {section.content}."
            for number, section in enumerate(run_type.sections, start=1)
        ),
        proposals=_render_proposals(run_type),
        data_tag=DATA_TAG,
        sources=SOURCES_SECTION,
        missing_data=MISSING_DATA_SECTION,
    )


def _render_proposals(run_type: RunType) -> str:
    titles = ", ".join(f"« {section.title} »" for section in run_type.sections if section.proposes)
    if not titles:
        return "Toutes ces parties sont des constats."
    return f"Sont des propositions : {titles}. Les autres parties sont des constats."


@cache
def _template() -> Template:
    return Template(files("shared.prompts").joinpath("system.md").read_text(encoding="utf-8"))
