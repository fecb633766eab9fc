"""The only wiring: which part stands behind which port."""
