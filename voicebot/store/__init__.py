"""Postgres: tables, repositories and the embedded server."""
