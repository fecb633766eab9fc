"""Jobs: what is done beside the calls, from a queue in the same Postgres. procrastinate is used only here."""
