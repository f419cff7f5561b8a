"""Every server, every exit: what a receiver got from real processes (`make servers`)."""
