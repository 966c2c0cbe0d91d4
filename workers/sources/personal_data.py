"""The catalogue of personal data: which tables hold any, by the names of their columns, and what protects them."""

from typing import Final

from pydantic import TypeAdapter

from shared.facts import FactName, make_facts
from shared.findings import Collected, Finding
from shared.french import format_count
from shared.frozen import FrozenModel
from shared.registry import SourceName
from shared.untrusted_text import clean_line, shorten
from workers.ports import SOURCE_TEXT_CHARS, Clock, Subject
from workers.sources.gaps import label_of
from workers.sources.tables import read_table

_KINDS: Final = {
    "account": "compte ou session",
    "address": "adresse postale",
    "birth": "naissance",
    "device": "appareil",
    "email": "e-mail",
    "free_text": "texte libre",
    "health": "santé ou émotions",
    "ip": "adresse IP",
    "name": "nom",
    "phone": "téléphone",
}
_CAUTION: Final = (
    "Établi d'après les seuls noms des colonnes : aucune donnée n'a été lue, et une colonne mal nommée n'y est pas."
)


class Table(FrozenModel):
    """A table that holds personal data, by the names of its columns."""

    table: str
    kinds: tuple[str, ...]
    columns: int
    row_security: bool
    policies: int
    open_to: tuple[str, ...]


class PersonalData(FrozenModel):
    """What the catalogue holds, however many tables the list shows."""

    tables: int
    columns: int
    without_row_security: int
    open_to_anon: int
    kinds: dict[str, int]
    list: tuple[Table, ...]


_SHAPE: Final = TypeAdapter(PersonalData)


class PersonalDataSource:
    """Describes which tables hold personal data, the least protected first.

    Shape: one Finding.   Cost: none; it comes with the run.
    """

    name: Final[str] = SourceName.PERSONAL_DATA.value

    def __init__(self, *, allowed: bool, clock: Clock) -> None:
        self._allowed = allowed
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows; the catalogue is that of the HQ, whatever the platform."""
        read = read_table(
            subject, SourceName.PERSONAL_DATA, _SHAPE, allowed=self._allowed, setting="READ_PERSONAL_DATA"
        )
        read_at = self._clock.now()
        values = {
            FactName.PERSONAL_TABLES: read.tables,
            FactName.PERSONAL_TABLES_WITHOUT_RLS: read.without_row_security,
            FactName.PERSONAL_TABLES_OPEN: read.open_to_anon,
        }
        finding = Finding(
            source=self.name,
            label=label_of(self.name),
            text=shorten("\n".join(_describe(read)), SOURCE_TEXT_CHARS),
            data={"tables": read.tables, "columns": read.columns, "without_row_security": read.without_row_security},
            facts=make_facts(values, source=self.name, at=read_at),
            read_at=read_at,
        )
        return Collected(findings=(finding,))


def _describe(read: PersonalData) -> list[str]:
    tables = format_count(read.tables, "table contient", "tables contiennent")
    columns = format_count(read.columns, "colonne", "colonnes")
    kinds = sorted(read.kinds.items(), key=lambda pair: (-pair[1], pair[0]))
    bare = f"{read.without_row_security} sans RLS, {read.open_to_anon} avec des droits accordés à anon"
    return [
        f"{tables} des données personnelles, dans {columns} ; {bare}",
        _CAUTION,
        "Catégories : " + ", ".join(f"{_KINDS.get(kind, 'autre')} ({tables_of})" for kind, tables_of in kinds),
        *map(_describe_table, read.list),
        *([f"- et {read.tables - len(read.list)} autres, mieux protégées"] if read.tables > len(read.list) else []),
    ]


def _describe_table(table: Table) -> str:
    kinds = ", ".join(_KINDS.get(kind, "autre") for kind in table.kinds)
    return (
        f"- {clean_line(table.table, 120)} : {kinds} ; RLS {'active' if table.row_security else 'INACTIVE'} ; "
        f"{format_count(table.policies, 'politique', 'politiques')} ; "
        f"droits accordés à : {', '.join(clean_line(role, 40) for role in table.open_to) or 'personne'}"
    )
