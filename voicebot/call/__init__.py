"""One call: the way of one utterance, from answer to hang-up."""
