"""An AI outbound-calling voicebot for Mandarin."""

__version__ = "0.1.0"
