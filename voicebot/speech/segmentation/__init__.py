"""Where utterances begin and end. Pure cores: no clock, socket or thread."""
