"""Other frameworks, each in its own environment, for `bench turns`: only this folder of ours is there."""
