"""Other frameworks, each run in its own environment by `bench turns`: nothing of ours is imported there but this folder."""
