"""How calls went under a version of the ranker, beside the calls before it: what a watch compares."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from voicebot.domain.call import Disposition, EndCause
from voicebot.domain.learning import Standing
from voicebot.domain.report import POSITIVE

# A call that a version only joined in its middle says nothing about either.
_CALLS = text(
    """
    SELECT ours, count(*), count(*) FILTER (WHERE NOT bad), sum(spoken), sum(spoken - unknown)
    FROM (
      SELECT bool_and(t.model_version LIKE :version) AS ours,
        bool_or(t.model_version LIKE :version) <> bool_and(t.model_version LIKE :version) AS mixed,
        count(*) AS spoken,
        count(*) FILTER (WHERE coalesce(t.decision #>> '{reasons,0}', '') LIKE 'V11 %') AS unknown,
        bool_or(o.opted_out OR (c.cause = :hung_up AND o.disposition <> ALL (:well))) AS bad
      FROM turns t JOIN calls c ON c.id = t.call_id JOIN outcomes o ON o.call_id = c.id
      WHERE t.at >= :since AND c.playbook_id = :playbook AND t.kind = 'speech'
        AND t.model_version <> '' AND c.ended_at IS NOT NULL
      GROUP BY t.call_id
    ) AS calls WHERE NOT mixed GROUP BY ours
    """
)

_JUDGED = text(
    """
    SELECT t.model_version LIKE :version AS ours, count(*), count(*) FILTER (WHERE s.weight > 0)
    FROM samples s JOIN turns t ON t.call_id = s.call_id AND t.seq = s.seq AND t.script_id = s.script_id
    WHERE t.at >= :since AND s.playbook_id = :playbook AND s.weight <> 0
    GROUP BY 1
    """
)
_WELL = [one.value for one in (*POSITIVE, Disposition.CALLBACK, Disposition.COMPLETED)]


class GuardRepository:
    """Counts for the watch over a new ranker."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def standings(self, playbook_id: str, version: str, since: datetime) -> tuple[Standing, Standing]:
        """Return how calls of a playbook went since a moment: under this version, and under any other.

        Args:
            playbook_id: whose calls.
            version: name-version, as turns are credited.
            since: before the version became live, so that the others are counted too.
        """
        values = {"playbook": playbook_id, "version": f"{version}+%", "since": since}
        more = {"hung_up": EndCause.CUSTOMER_HUNG_UP.value, "well": _WELL}
        calls = {
            row[0]: (int(row[1]), int(row[2]), int(row[3]), int(row[4]))
            for row in self._session.execute(_CALLS, values | more)
        }
        judged = {row[0]: (int(row[1]), int(row[2])) for row in self._session.execute(_JUDGED, values)}
        ours, others = (
            Standing(*calls.get(key, (0, 0, 0, 0)), *judged.get(key, (0, 0))) for key in (True, False)
        )
        return ours, others
