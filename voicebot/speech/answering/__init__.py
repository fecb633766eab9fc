"""What answers a call: person, machine, announcement or tones. Pure cores, on frame time."""
