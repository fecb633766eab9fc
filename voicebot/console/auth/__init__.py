"""Signing in: passwords, sessions, links, identity providers, and the gate before everything."""
