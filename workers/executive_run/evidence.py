"""What a run keeps beside its report, as rows of ``hq.run_evidence``: data, gaps, and the report's own faults."""

from typing import Final

from pydantic import JsonValue

from shared.findings import Collected
from shared.runs import EvidenceRecord
from workers.executive_run.verification.model import Fault, FaultKind, Verification

_MOST_FAULTS: Final = 50


def describe_collected(collected: Collected) -> tuple[EvidenceRecord, ...]:
    """Return a row for each finding, and one for each gap."""
    findings = (
        EvidenceRecord(
            evidence_type=finding.source,
            data={"label": finding.label, "read_at": finding.read_at.isoformat(), **finding.data},
            source_url=finding.url,
        )
        for finding in collected.findings
    )
    gaps = (
        EvidenceRecord(
            evidence_type="gap",
            data={"source": gap.source, "label": gap.label, "reason": gap.reason.value, "sentence": gap.sentence},
            source_url=None,
        )
        for gap in collected.gaps
    )
    return (*findings, *gaps)


def describe_verification(verification: Verification, *, answers: int) -> EvidenceRecord:
    """Return the row that says what was found in the report, at most fifty faults."""
    faults: list[JsonValue] = [_describe_fault(fault) for fault in verification.faults[:_MOST_FAULTS]]
    return EvidenceRecord(
        evidence_type="verification",
        data={
            "label": "Vérification du rapport",
            "answers": answers,
            "figures": verification.figures,
            "contradicted": verification.count(FaultKind.CONTRADICTED),
            "unverified": verification.count(FaultKind.UNVERIFIED),
            "faults": faults,
        },
        source_url=None,
    )


def _describe_fault(fault: Fault) -> JsonValue:
    return fault.model_dump(mode="json", include={"kind", "section", "quote", "sentence", "ours"}, exclude_none=True)
