"""The entry of each process."""
