"""The system prompt, rendered from an entry of the registry into the text of ``system.md``."""

from functools import cache
from importlib.resources import files
from string import Template
from typing import Final

from shared.run_types.model import RunType, Section

DATA_TAG: Final = "donnees"
"""A prompt's data are between ``<donnees-X>`` and ``</donnees-X>``; X is drawn at random for each prompt."""

MISSING_DATA_SECTION: Final = "Données manquantes"
"""The section that closes every report."""

_CLOSING: Final = Section(
    title=MISSING_DATA_SECTION,
    content="chaque donnée que ce plan attend et qui n'a pas été fournie, avec la source qui la donnerait ; "
    "« Aucune » s'il n'en manque pas",
)


def render_system_prompt(run_type: RunType) -> str:
    """Render what the model reads before any data: who it is, its mission, the outline, the rules."""
    outline = (*run_type.sections, _CLOSING)
    return _template().substitute(
        agent=run_type.agent.name,
        title=run_type.agent.title,
        label=run_type.label,
        purpose=run_type.purpose,
        steps="\n".join(f"{number}. {step}" for number, step in enumerate(run_type.steps, start=1)),
        outline="\n".join(
            f"{number}. **{section.title}** — {section.content}." for number, section in enumerate(outline, start=1)
        ),
        data_tag=DATA_TAG,
        missing_data=MISSING_DATA_SECTION,
    )


@cache
def _template() -> Template:
    return Template(files("shared.prompts").joinpath("system.md").read_text(encoding="utf-8"))
