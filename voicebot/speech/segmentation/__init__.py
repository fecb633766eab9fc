"""Segmentation: where speech begins, pauses and ends. Pure cores on frame time; no clock, no thread."""
