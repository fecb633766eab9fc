"""Campaigns: whom to call, when, and what came of it."""
