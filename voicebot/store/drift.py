"""What drift is computed from, and the reports that were made."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from voicebot.domain.ids import uuid7
from voicebot.domain.learning import Drift, DriftKind, DriftReport
from voicebot.store.tables import DriftReportRow

MOST = 20_000  # utterances of one stretch; the newest are taken

_UTTERANCES = text(
    """
    SELECT customer_text, emotion, confidence, unknown FROM (
      SELECT t.at, t.customer_text, t.emotion,
        coalesce((t.understanding #>> '{transcript,confidence}')::float8, 0) AS confidence,
        coalesce(t.decision #>> '{reasons,0}', '') LIKE 'V11 %' AS unknown
      FROM turns t JOIN calls c ON c.id = t.call_id
      WHERE c.playbook_id = :playbook AND t.at >= :since AND t.at < :until AND t.kind = 'speech'
      ORDER BY t.at DESC LIMIT :most
    ) AS newest ORDER BY at
    """
)


class DriftRepository:
    """Utterances by playbook and time, and the reports on them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def playbooks(self, since: datetime) -> list[str]:
        """Return the playbooks with turns since a moment."""
        rows = self._session.execute(
            text(
                """
                SELECT DISTINCT c.playbook_id FROM calls c
                WHERE c.started_at >= :since AND c.turns > 0 ORDER BY 1
                """
            ),
            {"since": since},
        )
        return [row[0] for row in rows]

    def utterances(
        self, playbook_id: str, since: datetime, until: datetime
    ) -> list[tuple[str, str, float, bool]]:
        """Return (words, emotion, confidence, whether nothing fitted) of each utterance, oldest first."""
        rows = self._session.execute(
            _UTTERANCES, {"playbook": playbook_id, "since": since, "until": until, "most": MOST}
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    def add(self, report: DriftReport) -> None:
        """Keep a report."""
        self._session.add(
            DriftReportRow(
                id=uuid7(),
                playbook_id=report.playbook_id,
                since=report.since,
                until=report.until,
                turns=report.turns,
                figures=[asdict(figure) | {"detail": list(figure.detail)} for figure in report.figures],
            )
        )

    def reports(self, playbook_id: str = "", limit: int = 10) -> list[DriftReport]:
        """Return the newest reports, of one playbook or of all."""
        query = select(DriftReportRow).order_by(DriftReportRow.until.desc(), DriftReportRow.playbook_id)
        if playbook_id:
            query = query.where(DriftReportRow.playbook_id == playbook_id)
        return [_report(row) for row in self._session.scalars(query.limit(limit))]


def _report(row: DriftReportRow) -> DriftReport:
    figures = tuple(
        Drift(**{**one, "kind": DriftKind(one["kind"]), "detail": tuple(one["detail"])})
        for one in row.figures
    )
    return DriftReport(row.playbook_id, row.since, row.until, row.turns, figures)
