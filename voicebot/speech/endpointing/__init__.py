"""Endpointing: how likely it is that the customer has finished, from sound and words. Runs in inference."""
