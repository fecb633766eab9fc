"""Voices behind the Synthesizer port, and the prompt cache."""
