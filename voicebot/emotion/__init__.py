"""Emotion information: lexicon, prosody, model and their fusion."""
