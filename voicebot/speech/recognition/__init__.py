"""Speech recognition engines behind the Recognizer port."""
