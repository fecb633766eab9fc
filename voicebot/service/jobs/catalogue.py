"""All kinds of jobs. A new one: a function `(Work, **args)` in a file of this folder, and a line here."""

from __future__ import annotations

from voicebot.service.jobs import house, learning, reports, webhooks
from voicebot.service.jobs.task import Task
from voicebot.store.jobs import SLOW, WEBHOOKS
from voicebot.store.webhook_events import TASK

TASKS: tuple[Task, ...] = (
    Task("roll_up", reports.roll_up_calls, every="* * * * *"),
    Task("gather_samples", learning.gather_samples, every="*/10 * * * *"),
    Task("retrain", learning.retrain, queue=SLOW, attempts=2),
    Task("retrain_where_due", learning.retrain_where_due, every="29 * * * *"),
    Task("retrain_nightly", learning.retrain_nightly, every="37 18 * * *"),
    Task("watch_models", learning.watch_models, every="7-57/10 * * * *"),
    Task("report_drift", learning.report_drift, every="13 19 * * 0", queue=SLOW),
    Task("make_partitions", house.make_partitions, every="17 3 * * *"),
    Task("forget_old", house.forget_old, every="23 2 * * *"),
    Task(TASK, webhooks.deliver_webhook, queue=WEBHOOKS, alone=False),
    Task("forget_deliveries", webhooks.forget_deliveries, every="47 3 * * *"),
    Task("forget_jobs", house.forget_jobs, every="41 * * * *"),
)
