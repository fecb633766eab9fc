"""SIP and RTP: the only room that knows pjsua2."""
