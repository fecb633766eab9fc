"""Web Push: an agent's phone or desktop is told of a call while the page sleeps or is closed."""
