"""Simulated customers: personas and their SIP user agent."""
