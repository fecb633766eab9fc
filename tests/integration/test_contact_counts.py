"""Contacts are counted as they change: the counts are the rows, whatever is done to them."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from alembic import command
from sqlalchemy import text

from tests.conftest import Make
from voicebot.domain.campaign import Campaign, CampaignStatus, Contact
from voicebot.domain.ids import uuid7
from voicebot.store import contact_counts
from voicebot.store.campaigns import CampaignRepository
from voicebot.store.contacts import ContactRepository
from voicebot.store.crypto import NumberVault
from voicebot.store.migrate import check, config, migrate
from voicebot.store.session import Database

pytestmark = pytest.mark.integration

VAULT = NumberVault(bytes(32))
DEEDS = (
    "UPDATE contacts SET status = 'calling', attempts = attempts + 1 WHERE id IN ({some})",
    "UPDATE contacts SET status = 'done' WHERE id IN ({some})",
    "UPDATE contacts SET status = 'pending', refusal = 'no_consent' WHERE id IN ({some})",
    "UPDATE contacts SET refusal = NULL, zone = 'Asia/Shanghai' WHERE id IN ({some})",
    "DELETE FROM contacts WHERE id IN ({some})",
)


def campaign_of(database: Database, count: int) -> Campaign:
    campaign = Campaign(
        str(uuid7()), uuid7().hex, "loan", CampaignStatus.RUNNING, "SIMULATION",
        trunk="sip:{number}@127.0.0.1:5090",
    )  # fmt: skip
    people = [Contact(str(uuid7()), campaign.id, f"+8613900{n:06d}", "Asia/Shanghai") for n in range(count)]
    with database.transaction() as session:
        CampaignRepository(session).add(campaign)
        ContactRepository(session, VAULT).add(people, datetime.now(UTC))
    return campaign


def in_the_table(database: Database) -> Counter[tuple[str, str, str]]:
    query = text(
        "SELECT campaign_id::text, status, coalesce(refusal, ''), count(*) FROM contacts GROUP BY 1, 2, 3"
    )
    with database.transaction() as session:
        return Counter(
            {(campaign, status, refusal): n for campaign, status, refusal, n in session.execute(query)}
        )


def counted(database: Database) -> Counter[tuple[str, str, str]]:
    with database.transaction() as session:
        found = contact_counts.contact_counts(session)
    return Counter({(str(one.campaign_id), one.status, one.refusal): one.contacts for one in found})


def rows(database: Database) -> int:
    with database.transaction() as session:
        return int(session.execute(text("SELECT count(*) FROM contact_counts")).scalar_one())


def change(database: Database, seed: int) -> None:
    """Do to contacts, forty times, what dialers, imports and erasure do."""
    chosen = random.Random(seed)
    for _ in range(40):
        some = f"SELECT id FROM contacts WHERE abs(hashtext(id::text)) % 17 = {chosen.randrange(17)}"
        with database.transaction() as session:
            session.execute(text(chosen.choice(DEEDS).format(some=f"{some} ORDER BY id FOR UPDATE")))


def test_counts_are_the_rows_while_many_write_and_one_folds(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_counts, "FOLD_FROM", 1)
    for _ in range(2):
        campaign_of(database, 300)
    assert counted(database) == in_the_table(database)

    def fold(_: int) -> None:
        for _ in range(20):
            with database.transaction() as session:
                contact_counts.fold(session)

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(change, database, seed) for seed in range(3)] + [pool.submit(fold, 0)]
        for one in work:
            one.result()
    assert counted(database) == in_the_table(database)
    fold(0)
    assert counted(database) == in_the_table(database)
    assert rows(database) == len(in_the_table(database))


def test_folding_waits_until_there_is_much_to_fold(database: Database) -> None:
    campaign_of(database, 3)
    with database.transaction() as session:
        assert not contact_counts.fold(session)
        assert CampaignRepository(session).progresses([]) == {}
    assert rows(database) == 1


def test_progress_of_many_campaigns_is_that_of_each(database: Database, make: Make) -> None:
    first, second = campaign_of(database, 5), campaign_of(database, 2)
    with database.transaction() as session:
        session.execute(
            text("UPDATE contacts SET status = 'done', refusal = 'do_not_call' WHERE campaign_id = :id"),
            {"id": second.id},
        )
        found = {
            campaign.id: progress
            for campaign, progress in CampaignRepository(session).with_progress((second, first))
        }
        assert found == {one.id: CampaignRepository(session).progress(one.id) for one in (first, second)}
    assert (found[first.id].contacts, found[first.id].pending, found[first.id].refusals) == (5, 5, {})
    assert (found[second.id].done, found[second.id].refusals) == (2, {"do_not_call": 2})


def test_contacts_of_before_the_upgrade_are_counted(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        command.upgrade(config(connection), "0018")
    campaign = campaign_of(database, 20)
    with database.transaction() as session:
        session.execute(text("UPDATE contacts SET status = 'done' WHERE right(id::text, 1) < '8'"))
    migrate(database, datetime.now(UTC))
    check(database)
    assert sum(counted(database).values()) == 20
    assert counted(database) == in_the_table(database)
    assert {key[0] for key in counted(database)} == {campaign.id}
