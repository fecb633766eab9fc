"""Versions of models and playbooks: manifests, hashes, loading."""
