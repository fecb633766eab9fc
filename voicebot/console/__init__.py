"""The console: web pages and REST API for managers, supervisors, agents, auditors and administrators."""
