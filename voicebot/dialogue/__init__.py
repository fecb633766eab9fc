"""Playbook, state, relation, situation and policy of a conversation."""
