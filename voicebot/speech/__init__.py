"""Speech: from frames to utterances, from utterances to words, from scripts to sound."""
